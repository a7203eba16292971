"""Deliveries that a notice may be about: those to a stated recipient in the days before."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage import candidates, messages
from storage.database import Database

AT = datetime(2026, 3, 20, 12, tzinfo=UTC)


def register(database: Database, name: str, *recipients: str, sent_at: datetime | None) -> None:
    with database.writer() as connection:
        pairs: list[tuple[str, str | None]] = [(each, None) for each in recipients]
        messages.register(connection, "acme", pairs, message_id=f"<{name}@s.example>", subject=name, sent_at=sent_at)


def found(database: Database, *stated: str, at: datetime = AT) -> dict[str, Any]:
    with database.reader() as connection:
        return candidates.of(connection, stated, at)


def names(shown: dict[str, Any]) -> list[str]:
    return [each["subject"] for each in shown["candidates"]]


def test_the_newest_first_and_only_in_the_days_before(database: Database) -> None:
    for name, days in (("old", 15), ("week", 7), ("day", 1), ("later", -1)):
        register(database, name, "Ann@x.example", "bob@x.example", sent_at=AT - timedelta(days=days))
    shown = found(database, "ANN@X.example", "eve@x.example")
    assert (names(shown), shown["candidate_count"]) == (["day", "week"], 2)
    assert {name: shown["candidates"][0][name] for name in ("recipient", "account", "message_id", "sent_at")} == {
        "recipient": "Ann@x.example",
        "account": "acme",
        "message_id": "<day@s.example>",
        "sent_at": "2026-03-19T12:00:00+00:00",
    }


@pytest.mark.parametrize("stated", [(), ("eve@x.example",), ("",), ("\0\ud800",)])
def test_nobody_that_is_known(database: Database, stated: tuple[str, ...]) -> None:
    register(database, "day", "ann@x.example", sent_at=AT)
    assert found(database, *stated) == {"candidate_count": 0, "candidates": []}


def test_what_was_sent_at_an_unknown_time_counts_from_when_it_was_registered(database: Database) -> None:
    register(database, "unknown", "ann@x.example", sent_at=None)
    now = datetime.now(UTC) + timedelta(minutes=1)
    assert names(found(database, "ann@x.example", at=now)) == ["unknown"]
    assert names(found(database, "ann@x.example")) == []


def test_many_are_counted_up_to_a_bound_and_few_are_shown(database: Database) -> None:
    for number in range(candidates.COUNTED + 5):
        register(database, f"n{number:03}", "ann@x.example", sent_at=AT - timedelta(minutes=number))
    shown = found(database, "ann@x.example")
    assert shown["candidate_count"] == candidates.COUNTED
    assert names(shown) == [f"n{number:03}" for number in range(candidates.SHOWN)]
