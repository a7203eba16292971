"""Outcomes are stored whole, in one transaction, and once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from handlers.message import Account, Delivery
from handlers.outcome import Outcome
from handlers.words import Kind, NoticeForm
from storage import bounces, captures, checking, messages, positions, suppressions, tables
from storage.database import Database
from storage.store import store

Make = Callable[..., Outcome]


def counts(database: Database) -> dict[str, int]:
    with database.reader() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.capture, tables.bounce, tables.suppression)
        }


def deliveries(database: Database, number: int) -> list[Delivery]:
    with database.writer() as connection:
        recipients: list[tuple[str, str | None]] = [(f"R{i}@mx.example", f"b-{i}") for i in range(number)]
        return messages.register(connection, "default", recipients, message_id="<m1@sender.example>")


def test_everything_of_an_outcome_is_stored(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database, 1)[0]
    with database.writer() as connection:
        store(
            connection,
            [outcome_of(4096, ours, trust="proven", trust_reasons=("token",), authentication={"spf": "pass"})],
            "worker",
            5000,
        )
    with database.reader() as connection:
        assert positions.get(connection, "worker") == 5000
        shown = captures.get(connection, 4096)
        bounced = list(bounces.find(connection, bounces.Filter()))
        suppressed = list(suppressions.listing(connection))
    assert shown is not None
    assert shown["received_at"] == "2026-03-04T05:06:07.890123+00:00"
    assert shown["envelope"]["forward_paths"] == ["b-token@bounce.test"]
    assert shown["message"]["message_id"] == "<m1@sender.example>"
    assert shown["message"]["recipient"] == "R0@mx.example"
    assert shown["recipients"][0]["address"] == "R0@mx.example"
    assert shown["recipients"][0]["final_recipient"] == "alias@mx.example"
    assert (shown["trust"], shown["trust_reasons"], shown["authentication"]) == ("proven", ["token"], {"spf": "pass"})
    assert [(each["capture"], each["address"], each["reason"]) for each in bounced] == [
        (4096, "R0@mx.example", "user_unknown")
    ]
    assert [(each["address"], each["account"], each["capture"]) for each in suppressed] == [
        ("r0@mx.example", "default", 4096)
    ]


def test_a_replay_stores_nothing_twice(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database, 3)
    batch = [outcome_of(100 * i, delivery) for i, delivery in enumerate(ours)]
    with database.writer() as connection:
        store(connection, batch[:2], "worker", 200)
    with database.writer() as connection:
        store(connection, batch, "worker", 300)
    with database.writer() as connection:
        store(connection, batch, "worker", 300)
    assert counts(database) == {"capture": 3, "bounce": 3, "suppression": 3}


def test_a_replay_that_finds_more_leaves_the_first_as_it_was(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database, 1)[0]
    first = outcome_of(7, ours)
    second = replace(first, bounces=first.bounces * 2, report=replace(first.report, kind=Kind.DELAY))
    with database.writer() as connection:
        store(connection, [first], "worker", 8)
        store(connection, [second, second], "worker", 8)
    with database.reader() as connection:
        shown = captures.get(connection, 7)
    assert shown is not None
    assert shown["kind"] == "failure"
    assert counts(database)["bounce"] == 1


def test_one_position_twice_in_a_batch_is_one_capture(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database, 1)[0]
    first = outcome_of(7, ours)
    with database.writer() as connection:
        store(connection, [first, replace(first, bounces=first.bounces * 3)], "worker", 8)
    assert counts(database) == {"capture": 1, "bounce": 1, "suppression": 1}


def test_all_or_nothing(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database, 2)
    stranger = outcome_of(200, ours[1])
    broken = replace(stranger, bounces=(replace(stranger.bounces[0], account=Account(999, "nobody")),))
    with pytest.raises(IntegrityError), database.writer() as connection:
        store(connection, [outcome_of(100, ours[0]), broken], "worker", 300)
    assert counts(database) == {"capture": 0, "bounce": 0, "suppression": 0}
    with database.reader() as connection:
        assert positions.get(connection, "worker") is None


def test_a_batch_of_nothing_moves_the_position(database: Database) -> None:
    for reached in (2**40, 2**52):
        with database.writer() as connection:
            store(connection, [], "worker", reached)
    with database.reader() as connection:
        assert positions.get(connection, "worker") == 2**52
        assert positions.get(connection, "webhooks") is None


def test_the_first_suppression_of_an_address_stays(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database, 1)[0]
    for position in (10, 20):
        with database.writer() as connection:
            store(connection, [outcome_of(position, ours)], "worker", position)
    with database.reader() as connection:
        assert [each["capture"] for each in suppressions.listing(connection)] == [10]
    assert counts(database)["bounce"] == 2


def test_a_token_that_was_minted_offline_has_a_bounce(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database, 1)[0]
    known = outcome_of(5, ours)
    bounce = replace(known.bounces[0], delivery=None, token="b-offline", address="Eve@mx.example")
    with database.writer() as connection:
        store(connection, [replace(known, delivery=None, bounces=(bounce,))], "worker", 6)
    with database.reader() as connection:
        shown = list(bounces.find(connection, bounces.Filter(address="eve@MX.example")))
        capture = captures.get(connection, 5)
    assert [(each["token"], each["account"], each["message"]) for each in shown] == [("b-offline", "default", None)]
    assert capture is not None
    assert (capture["account"], capture["message"]) == ("default", None)


def test_a_held_mail_is_stored_whole(database: Database, outcome_of: Make) -> None:
    held = outcome_of(9, held="it took more than 10 s", verdicts=())
    with database.writer() as connection:
        store(connection, [held], "worker", 10)
    with database.reader() as connection:
        shown = captures.get(connection, 9)
        assert captures.raw(connection, 9) == held.mail.raw
    assert shown is not None
    assert shown["held"] == "it took more than 10 s"
    assert shown["recipients"][0]["reason"] is None


# every kind of text that a mail can bring: NUL, lone surrogates, quotes, backslashes before u0000
HOSTILE = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    ["\0", "\ud800", "a\\u0000b", "\\\0", "'\"", "ß" * 3000]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=HOSTILE, key=HOSTILE, raw=st.binary(max_size=200))
def test_any_text_can_be_stored(database: Database, outcome_of: Make, text: str, key: str, raw: bytes) -> None:
    storable = "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)
    with database.reader() as connection:
        position = 1 + max((each["id"] for each in captures.find(connection, captures.Filter())), default=0)
    ours = deliveries(database, position)[-1]  # one of its own: it bounces once
    outcome = hostile(outcome_of(position, ours), text, key, raw)
    with database.writer() as connection:
        store(connection, [outcome], "worker", position)
    with database.reader() as connection:
        shown = captures.get(connection, position)
        assert captures.raw(connection, position) == raw
        assert len(list(bounces.find(connection, bounces.Filter(address=text, capture=position)))) == 1
        assert text in checking.check(connection, ours.message.account.id, [text])
    assert shown is not None
    assert shown["subject"] == storable
    assert shown["recipients"][0]["diagnostic"] == storable
    assert shown["envelope"]["forward_paths"] == [storable]


def hostile(outcome: Outcome, text: str, key: str, raw: bytes) -> Outcome:
    status = replace(outcome.report.recipients[0], diagnostic_code=text, final_recipient=text)
    report = replace(outcome.report, subject=text, message_id=text, recipients=(status,), suggestion={key: text})
    envelope = replace(outcome.mail.envelope, helo=text, forward_paths=(text,))
    fields: dict[str, Any] = {
        "mail": replace(outcome.mail, envelope=envelope, raw=raw),
        "report": report,
        "authentication": {key: text},
        "notice_form": NoticeForm.TEXT,
        "bounces": (replace(outcome.bounces[0], address=text, recipient=status),),
        "suppressions": (replace(outcome.suppressions[0], address=text),),
    }
    return replace(outcome, **fields)
