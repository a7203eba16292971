"""How deliveries stand is stored with the captures that say so, with each revision, and told once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as listen
from sqlalchemy import select

from handlers.message import Delivery
from handlers.outcome import Outcome
from handlers.words import BounceType, Detectability, Kind
from storage import events, messages, states, tables
from storage.database import Database
from storage.store import store

Make = Callable[..., Outcome]
START = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
WINDOW = timedelta(hours=72)
FAILED, DELAYED, ARRIVED = "failed", "delayed", "arrived"


def deliveries(database: Database, number: int = 1) -> list[Delivery]:
    with database.writer() as connection:
        recipients: list[tuple[str, str | None]] = [(f"r{i}@mx.example", f"b-{i}") for i in range(number)]
        return messages.register(connection, "default", recipients, message_id="<m1@sender.example>")


def says(outcome_of: Make, what: str, position: int, delivery: Delivery, hours: float = 0) -> Outcome:
    """A capture that came so many hours after START."""
    made = outcome_of(position, delivery)
    envelope = replace(made.mail.envelope, received_at=START + timedelta(hours=hours))
    made = replace(made, mail=replace(made.mail, envelope=envelope), suppressions=())
    if what == FAILED:
        return made
    if what == ARRIVED:
        return replace(made, bounces=(), delivered=(delivery,))
    bounce = made.bounces[0]
    return replace(made, bounces=(replace(bounce, verdict=replace(bounce.verdict, type=BounceType.PENDING)),))


def put(database: Database, *outcomes: Outcome) -> None:
    with database.writer() as connection:
        store(connection, outcomes, "worker", outcomes[-1].mail.position + 1)


def assume(database: Database, hours: float, most: int = 500) -> int:
    with database.writer() as connection:
        number, told = states.assume(connection, START + timedelta(hours=hours), WINDOW, most)
        events.put(connection, told)
    return number


def revisions(database: Database) -> list[tuple[Any, ...]]:
    columns = ("from_state", "to_state", "resolution", "cause", "capture_id", "at")
    with database.reader() as connection:
        rows = connection.execute(select(tables.state_change).order_by(tables.state_change.c.id)).mappings()
        return [tuple(row[name] for name in columns) for row in rows]


def told(database: Database) -> list[tuple[str, int | None]]:
    with database.reader() as connection:
        found = events.after(connection, None, 0, 100).events
    return [(each["type"], each["sequence"]) for each in found if not each["type"].startswith("suppression.")]


def stands(database: Database, delivery: Delivery) -> states.Standing:
    with database.reader() as connection:
        return states.standings(connection, [delivery.id])[delivery.id]


def test_each_change_is_a_revision_and_an_event(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database)[0]
    put(database, says(outcome_of, DELAYED, 10, ours), says(outcome_of, FAILED, 20, ours, 1))
    put(database, says(outcome_of, FAILED, 30, ours, 2))
    assert revisions(database) == [
        ("sent", "pending", None, "capture", 10, START),
        ("pending", "hard", None, "capture", 20, START + timedelta(hours=1)),
    ]
    assert told(database) == [("bounce.pending", 1), ("bounce.hard", 2)]
    standing = stands(database, ours)
    assert (standing.place.state, standing.capture, standing.pending_since) == ("hard", 20, START)


def test_a_replay_is_told_to_nobody(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database)[0]
    batch = [says(outcome_of, DELAYED, 10, ours), says(outcome_of, ARRIVED, 20, ours, 1)]
    put(database, *batch)
    before = stands(database, ours), revisions(database), told(database)
    put(database, *batch)
    put(database, batch[0])
    assert (stands(database, ours), revisions(database), told(database)) == before
    assert told(database) == [("bounce.pending", 1), ("bounce.cleared", 2)]


def test_one_message_goes_on_for_the_others(database: Database, outcome_of: Make) -> None:
    """One report on three recipients, one of which failed, one of which is late and one of which arrived."""
    ann, bob, cat, dan = deliveries(database, 4)
    failed, delayed = (says(outcome_of, what, 10, each) for what, each in ((FAILED, ann), (DELAYED, bob)))
    put(database, replace(failed, bounces=(*failed.bounces, *delayed.bounces), delivered=(cat,)))
    with database.reader() as connection:
        found = states.standings(connection, [each.id for each in (ann, bob, cat, dan)])
    assert {key: standing.place.state for key, standing in found.items()} == {
        ann.id: "hard",
        bob.id: "pending",
        cat.id: "delivered",
    }
    assert told(database) == [("bounce.hard", 1), ("bounce.pending", 1)]


def test_silence_makes_it_soft_and_a_report_takes_its_place(database: Database, outcome_of: Make) -> None:
    ours, other = deliveries(database, 2)
    put(database, says(outcome_of, DELAYED, 10, ours), says(outcome_of, DELAYED, 20, ours, 60))
    put(database, says(outcome_of, DELAYED, 30, other, 1))
    assert assume(database, 71.9) == 0
    assert assume(database, 72) == 1
    assert assume(database, 72.5) == 0
    standing = stands(database, ours)
    assert (standing.place, standing.since) == (("soft", "assumed"), START + WINDOW)
    put(database, says(outcome_of, FAILED, 40, ours, 90))
    assert assume(database, 100) == 1
    assert revisions(database) == [
        ("sent", "pending", None, "capture", 10, START),
        ("sent", "pending", None, "capture", 30, START + timedelta(hours=1)),
        ("pending", "soft", "assumed", "clock", 10, START + WINDOW),
        ("soft", "hard", None, "capture", 40, START + timedelta(hours=90)),
        ("pending", "soft", "assumed", "clock", 30, START + WINDOW + timedelta(hours=1)),
    ]
    assert told(database) == [
        ("bounce.pending", 1),
        ("bounce.pending", 1),
        ("bounce.soft", 2),
        ("bounce.hard", 3),
        ("bounce.soft", 2),
    ]


def test_many_become_due_in_batches_the_oldest_first(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database, 5)
    put(database, *(says(outcome_of, DELAYED, 10 + i, each, -i) for i, each in enumerate(ours)))
    with database.reader() as connection:
        assert not states.is_due(connection, START, WINDOW)
        assert states.is_due(connection, START + WINDOW, WINDOW)
    assert [assume(database, 100, most=2) for _ in range(4)] == [2, 2, 1, 0]
    assert [row[4] for row in revisions(database)[5:]] == [14, 13, 12, 11, 10]


def test_what_has_no_state_is_told_by_itself(database: Database, outcome_of: Make) -> None:
    ours = deliveries(database)[0]
    failed = outcome_of(10, ours)
    offline = replace(failed, delivery=None, bounces=(replace(failed.bounces[0], delivery=None, token="b-offline"),))
    reply = replace(outcome_of(20, ours), bounces=(), report=replace(failed.report, kind=Kind.AUTO_REPLY))
    detached = outcome_of(30, detectability=Detectability.UNDETECTABLE)
    again = replace(offline, mail=replace(offline.mail, position=40))
    put(database, offline, reply, detached, again)
    assert told(database) == [("bounce.hard", None), ("auto_reply", 1), ("capture.undetectable", None)]
    assert revisions(database) == []


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    said: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    engine = database._writers
    listen.listen(engine, "before_cursor_execute", hear)
    yield said
    listen.remove(engine, "before_cursor_execute", hear)


@pytest.mark.parametrize("what", [FAILED, DELAYED, ARRIVED])
def test_a_batch_costs_the_same_statements_whatever_is_in_it(database: Database, outcome_of: Make, what: str) -> None:
    ours = deliveries(database, 200)
    numbers = []
    for start, end in ((0, 1), (1, 100), (100, 200), (100, 200)):
        batch = [says(outcome_of, what, 1000 * end + i, each) for i, each in enumerate(ours[start:end])]
        with counted(database) as said:
            put(database, *batch)
        numbers.append(len(said))
    assert numbers[0] == numbers[1] == numbers[2] >= numbers[3]


def test_with_the_delivery_its_state_goes(database: Database, outcome_of: Make) -> None:
    ann, bob = deliveries(database, 2)
    put(database, says(outcome_of, FAILED, 10, ann), says(outcome_of, ARRIVED, 20, bob))
    with database.writer() as connection:
        for table in (tables.bounce, tables.capture, tables.delivery):
            connection.execute(table.delete())
        left = [connection.execute(select(table)).all() for table in (tables.delivery_state, tables.state_change)]
        assert connection.execute(select(tables.arrival)).all() == []
    assert left == [[], []]
