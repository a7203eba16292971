"""A batch is stored as one row after the other would be."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError

from handlers.events import EventType
from storage import batch
from storage.database import Database
from storage.tables import event
from storage.upsert import insert_new

AT = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def row(key: str, **changed: Any) -> dict[str, Any]:
    plain = {"type": EventType.COMPLAINT, "key": key, "data": {}, "occurred_at": AT, "account_id": None, "sequence": 1}
    return plain | changed


ROWS = [
    row("a", data={"odd": "\0\ud800", "empty": [], "word": EventType.COMPLAINT}),
    row("b\0\ud800", occurred_at=AT.astimezone(timezone(timedelta(hours=5)))),
    row("c", sequence=None, type="complaint", data=None),
    row("d", occurred_at=AT.replace(microsecond=0), data=[1, None, 2.5]),
]


def stored(database: Database) -> list[dict[str, Any]]:
    with database.reader() as connection:
        found = connection.execute(select(event).order_by(event.c.key)).mappings()
        return [{name: value for name, value in each.items() if name != "id"} for each in found]


def test_the_same_as_rows_one_by_one(database: Database) -> None:
    rows = [each for each in ROWS if each["data"] is not None]
    with database.writer() as connection:
        for each in rows:
            connection.execute(event.insert(), each)
    expected = stored(database)
    with database.writer() as connection:
        connection.execute(event.delete())
        batch.write(connection, event.insert(), rows)
    assert stored(database) == expected
    assert [each["key"] for each in expected] == ["a", "b\ufffd\ufffd", "d"]


def test_what_is_there_stays(database: Database) -> None:
    for rows in ([row("a", sequence=1)], [row("b"), row("a", sequence=2)], []):
        with database.writer() as connection:
            batch.write(connection, insert_new(connection, event), rows)
    assert [(each["key"], each["sequence"]) for each in stored(database)] == [("a", 1), ("b", 1)]


def test_rows_are_changed(database: Database) -> None:
    statement = update(event).where(event.c.key == bindparam("which")).values(sequence=bindparam("new"))
    with database.writer() as connection:
        batch.write(connection, event.insert(), [row("a"), row("b"), row("c")])
        batch.write(connection, statement, [{"which": "a", "new": 7}, {"new": None, "which": "c"}])
    assert [each["sequence"] for each in stored(database)] == [7, 1, None]


def test_a_null_that_a_column_does_not_take(database: Database) -> None:
    with pytest.raises(IntegrityError), database.writer() as connection:
        batch.write(connection, event.insert(), ROWS)
    assert stored(database) == []
