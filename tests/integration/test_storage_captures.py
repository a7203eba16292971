"""Captures and bounces are listed as they are taken, filtered and whole."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Connection, event

from handlers.outcome import Outcome
from handlers.words import BounceType, Detectability, Kind
from storage import bounces, captures, messages
from storage.captures import Filter
from storage.database import Database
from storage.store import store

Make = Callable[..., Outcome]
UNDETECTABLE = Detectability.UNDETECTABLE


@pytest.fixture
def stored(database: Database, outcome_of: Make) -> Database:
    """Four captures: 10 of the account default, 20 a delay, 30 undetectable, 40 of the account other."""
    with database.writer() as connection:
        ours = messages.register(connection, "default", [("Ann@x.example", "t-1")], message_id="<m1@s.example>")[0]
        theirs = messages.register(connection, "other", [("bob@x.example", "t-2")], message_id="<m2@s.example>")[0]
        delay = outcome_of(20)
        delay = replace(delay, report=replace(delay.report, kind=Kind.DELAY, subject="Verzögert: GRÜSSE"))
        detached = outcome_of(30, detectability=UNDETECTABLE, undetectable_reason="nothing of the original")
        detached = replace(detached, mail=replace(detached.mail, raw=b"Subject: x\r\n\r\nNeedle \xe4\r\n"))
        store(connection, [outcome_of(10, ours), delay, detached, outcome_of(40, theirs)], "worker", 50)
    return database


def found(database: Database, **wanted: Any) -> list[int]:
    with database.reader() as connection:
        return [each["id"] for each in captures.find(connection, Filter(**wanted))]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, [10, 20, 30, 40]),
        ({"kind": Kind.DELAY}, [20]),
        ({"detectability": UNDETECTABLE}, [30]),
        ({"since": 20}, [30, 40]),
        ({"before": 20}, [10]),
        ({"since": 10, "before": 40, "kind": Kind.FAILURE}, [30]),
        ({"account": "other"}, [40]),
        ({"account": "nobody"}, []),
        ({"contains": "grüsse"}, [20]),
        ({"contains": "needle"}, [30]),
        ({"contains": "N1@MX.example"}, [10, 20, 30, 40]),
        ({"contains": "b-token"}, [10, 20, 30, 40]),
        ({"contains": "needle", "kind": Kind.DELAY}, []),
        ({"contains": "\udce4"}, [30]),  # an octet of the mail, as an argument of the command line spells it
        ({"contains": "\ud800"}, []),
    ],
)
def test_filters(stored: Database, wanted: dict[str, Any], ids: list[int]) -> None:
    assert found(stored, **wanted) == ids


def test_a_capture_is_ready_for_json(stored: Database) -> None:
    with stored.reader() as connection:
        shown = captures.get(connection, 30)
        listed = list(captures.find(connection, Filter(since=20, before=40)))
    assert listed == [shown]
    assert json.loads(json.dumps(shown)) == shown
    assert shown is not None
    assert "raw" not in shown
    assert (shown["undetectable_reason"], shown["message"], shown["account"]) == ("nothing of the original", None, None)


@pytest.mark.parametrize("contains", [None, "needle"])
def test_raw_is_every_octet_as_latin_1(stored: Database, contains: str | None) -> None:
    with stored.reader() as connection:
        shown = list(captures.find(connection, Filter(since=20, before=40, contains=contains), raw=True))
        assert captures.raw(connection, 30) == b"Subject: x\r\n\r\nNeedle \xe4\r\n"
    assert [each["raw"] for each in shown] == ["Subject: x\r\n\r\nNeedle ä\r\n"]
    assert shown[0]["size"] == len(shown[0]["raw"])


@pytest.mark.parametrize("key", [11, -1, 2**63, 2**80])
def test_what_is_not_there(stored: Database, key: int) -> None:
    with stored.reader() as connection:
        assert captures.get(connection, key) is None
        assert captures.raw(connection, key) is None


def test_pages_follow_each_other_both_ways(database: Database, outcome_of: Make) -> None:
    with database.writer() as connection:
        store(connection, [outcome_of(i) for i in range(0, 3000, 2)], "worker", 3000)
    with database.reader() as connection:
        for raw in (False, True):
            ids = [each["id"] for each in captures.find(connection, Filter(), raw=raw)]
            assert ids == list(range(0, 3000, 2))
            back = captures.find(connection, Filter(before=2500), raw=raw, newest_first=True)
            assert [each["id"] for each in islice(back, 700)] == list(range(2498, 1098, -2))


def test_a_listing_holds_no_more_than_a_page(database: Database, outcome_of: Make) -> None:
    with database.writer() as connection:
        store(connection, [outcome_of(i) for i in range(200)], "worker", 200)
    with database.reader() as connection:
        read = statements(connection)
        listing = captures.find(connection, Filter(), raw=True)
        next(listing)
        assert "LIMIT" in read[0]
        assert len(list(listing)) == 199
        assert len([each for each in read if "capture.raw" in each]) == 5  # four pages of 50, and an empty one


def statements(connection: Connection) -> list[str]:
    seen: list[str] = []

    def see(_: object, __: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(connection, "before_cursor_execute", see)
    return seen


@pytest.mark.parametrize(
    ("wanted", "addresses"),
    [
        ({}, ["Ann@x.example", "bob@x.example"]),
        ({"address": "ANN@x.example"}, ["Ann@x.example"]),
        ({"account": "other"}, ["bob@x.example"]),
        ({"type": BounceType.SOFT}, []),
        ({"type": BounceType.HARD, "capture": 40}, ["bob@x.example"]),
        ({"capture": 20}, []),
    ],
)
def test_bounces_are_filtered(stored: Database, wanted: dict[str, Any], addresses: list[str]) -> None:
    with stored.reader() as connection:
        shown = list(bounces.find(connection, bounces.Filter(**wanted)))
    assert [each["address"] for each in shown] == addresses
    assert json.loads(json.dumps(shown)) == shown


def test_bounces_can_be_followed(stored: Database) -> None:
    def ids(found: Iterator[dict[str, Any]]) -> list[int]:
        return [each["id"] for each in found]

    with stored.reader() as connection:
        first, second = ids(bounces.find(connection, bounces.Filter()))
        assert ids(bounces.find(connection, bounces.Filter(since=first))) == [second]
        assert ids(bounces.find(connection, bounces.Filter(before=second))) == [first]
        assert ids(bounces.find(connection, bounces.Filter(), newest_first=True)) == [second, first]
