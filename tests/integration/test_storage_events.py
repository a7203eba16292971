"""The outbox: one fact is one event, counted within its delivery, read in order by a cursor."""

import threading
from datetime import UTC, datetime
from typing import Any

from handlers.events import Event, EventType
from storage import accounts, events, forgetting
from storage.database import Database

AT = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def event(key: str, delivery: int | None = None, account: int | None = None, **data: Any) -> Event:
    return Event(EventType.BOUNCE_HARD, key, account, delivery, data, AT)


def put(database: Database, *new: Event) -> None:
    with database.writer() as connection:
        events.put(connection, new)


def shown(database: Database, account: int | None = None) -> list[dict[str, Any]]:
    with database.reader() as connection:
        return events.after(connection, account, 0, 1000).events


def test_an_event_is_shown_whole(database: Database) -> None:
    with database.writer() as connection:
        acme = accounts.ensure(connection, "acme")
        events.put(connection, [event("a", 12, acme.id, address="ann@mx.example", odd="\x00")])
    assert shown(database) == [
        {
            "id": "evt_1",
            "type": "bounce.hard",
            "timestamp": "2026-05-06T07:08:09+00:00",
            "account": "acme",
            "delivery": 12,
            "sequence": 1,
            "data": {"address": "ann@mx.example", "odd": "\ufffd"},
        }
    ]


def test_the_same_fact_is_one_event(database: Database) -> None:
    put(database, event("a", 1, first=True), event("b", 1), event("a", 1, first=False))
    put(database, event("b", 1), event("c", 1), event("a", 1))
    assert [(each["sequence"], each["data"]) for each in shown(database)] == [(1, {"first": True}), (2, {}), (3, {})]


def test_each_delivery_counts_its_own(database: Database) -> None:
    put(database, event("a", 1), event("b", 2), event("c"), event("d", 1))
    put(database, event("e", 2), event("f", 1), event("g"))
    found = [(each["delivery"], each["sequence"]) for each in shown(database)]
    assert found == [(1, 1), (2, 1), (None, None), (1, 2), (2, 2), (1, 3), (None, None)]


def test_more_than_a_statement_takes(database: Database) -> None:
    many = [event(f"k{number}", number) for number in range(1200)]
    put(database, *many)
    put(database, *many, event("new", 7))
    with database.reader() as connection:
        page = events.after(connection, None, 1190, 1000)
        assert [each["id"] for each in page.events] == [f"evt_{number}" for number in range(1191, 1202)]
        assert page.events[-1]["sequence"] == 2
        assert forgetting.last(connection) == page.cursor


def test_the_cursor_goes_on_where_it_was(database: Database) -> None:
    with database.writer() as connection:
        acme, other = accounts.ensure(connection, "acme"), accounts.ensure(connection, "other")
        events.put(connection, [event(f"k{number}", None, (acme, other)[number % 2].id) for number in range(10)])
    seen, cursor = [], 0
    while True:
        with database.reader() as connection:
            page = events.after(connection, acme.id, cursor, 2)
        if not page.events:
            break
        seen += [each["id"] for each in page.events]
        cursor = page.cursor
    assert (seen, page.cursor) == (["evt_1", "evt_3", "evt_5", "evt_7", "evt_9"], 9)
    put(database, event("later", None, acme.id))
    with database.reader() as connection:
        assert [each["id"] for each in events.after(connection, acme.id, cursor, 2).events] == ["evt_11"]


def test_no_event_comes_before_one_that_was_seen(database: Database) -> None:
    """A writer that took its ids first commits first, or a cursor would pass over its events."""
    second_has_put = threading.Event()

    def second() -> None:
        put(database, event("second"))
        second_has_put.set()

    with database.writer() as connection:
        events.put(connection, [event("first")])
        thread = threading.Thread(target=second)
        thread.start()
        assert not second_has_put.wait(0.3)
        assert shown(database) == []
    thread.join()
    assert [each["id"] for each in shown(database)] == ["evt_1", "evt_2"]
