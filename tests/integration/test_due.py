"""The clock: pending deliveries become soft after `pending_hours`, as far as the journal has been read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handlers.envelope import Envelope
from handlers.message import Delivery
from handlers.outcome import Outcome
from handlers.words import BounceType
from server import due, minting
from server.due import Due
from server.interval import Interval
from server.settings import Settings
from server.worker import compose
from storage import events, journal, messages, states
from storage.database import Database
from storage.store import store
from tests.e2e.service import dsn

Make = Callable[..., Outcome]
START = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
WINDOW = timedelta(hours=72)


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


def delayed(database: Database, outcome_of: Make, number: int) -> list[Delivery]:
    """So many deliveries that are pending since START."""
    with database.writer() as connection:
        recipients: list[tuple[str, str | None]] = [(f"r{i}@mx.example", f"b-{i}") for i in range(number)]
        ours = messages.register(connection, "default", recipients, message_id="<m1@sender.example>")
        outcomes = []
        for position, each in enumerate(ours):
            made = outcome_of(position, each, suppressions=())
            mail = replace(made.mail, envelope=replace(made.mail.envelope, received_at=START))
            bounce = made.bounces[0]
            late = replace(bounce, verdict=replace(bounce.verdict, type=BounceType.PENDING))
            outcomes.append(replace(made, mail=mail, bounces=(late,)))
        store(connection, outcomes, "worker", number)
    return ours


def soft(database: Database) -> int:
    with database.reader() as connection:
        return sum(each["type"] == "bounce.soft" for each in events.after(connection, None, 0, 100).events)


def test_it_turns_what_is_due(database: Database, outcome_of: Make) -> None:
    delayed(database, outcome_of, 3)
    assert Due(database, WINDOW, lambda: hours(71.99)).look() == 0
    assert Due(database, WINDOW, lambda: hours(72)).look() == 3
    assert Due(database, WINDOW, lambda: hours(200)).look() == 0
    assert soft(database) == 3


def test_batch_after_batch(database: Database, outcome_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "_BATCH", 2)
    delayed(database, outcome_of, 5)
    assert Due(database, WINDOW, lambda: hours(72)).look() == 5


def test_it_looks_now_and_then(database: Database, outcome_of: Make) -> None:
    now = hours(0)
    clock = Due(database, WINDOW, lambda: now, every=3600)
    assert clock.look() == 0
    delayed(database, outcome_of, 1)
    now = hours(100)
    assert clock.look() == 0
    assert Due(database, WINDOW, lambda: now, every=0).look() == 1


def test_nothing_is_assumed_that_the_journal_may_know_better(database: Database, outcome_of: Make) -> None:
    delayed(database, outcome_of, 1)
    clock = Due(database, WINDOW, lambda: hours(500), every=0)
    assert clock.look(read_until=hours(71)) == 0
    assert clock.look(read_until=hours(73)) == 1


@pytest.mark.parametrize("failed", [False, True])
def test_the_worker_reads_first(tmp_path: Path, failed: bool) -> None:
    """A worker that was away for a week finds a delay, and perhaps the failure that followed it."""
    settings = Settings(data_dir=tmp_path, return_path_domain="rp.example", authenticate=False)
    minted = minting.mint(settings, minting.Request(("jane@shop.example",)))[0]
    start = datetime.now(UTC) - timedelta(days=7)
    failure = dsn("jane@shop.example", minted["message_id"])
    delay = failure.replace(b"Action: failed\r\nStatus: 5.1.1", b"Action: delayed\r\nStatus: 4.4.1")
    mails = [(0, delay), (100, failure)] if failed else [(0, delay)]
    with journal.Writer(settings.journal) as writer:
        for later, raw in mails:
            received = start + timedelta(hours=later)
            writer.write([(Envelope("", (minted["return_path"],), "mx.example", "192.0.2.7", received), raw)])
    with compose(settings) as worker:
        worker._due._every = Interval(0)
        while worker.step():
            pass
        with worker._db.reader() as connection:
            standing = next(iter(states.standings(connection, [1]).values()))
            found = events.after(connection, None, 0, 100).events
            told = [each["type"] for each in found if each["delivery"]]
    assert standing.pending_since == start
    if failed:
        assert (standing.place, told) == (("hard", None), ["bounce.pending", "bounce.hard"])
    else:
        assert (standing.place, standing.since) == (("soft", "assumed"), start + WINDOW)
        assert told == ["bounce.pending", "bounce.soft"]
