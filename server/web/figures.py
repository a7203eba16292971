"""The overview's figures: how much came in when, and what it was. Every query has a bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, func, select

from server.web.period import Part
from storage import journal, positions
from storage.tables import bounce, capture

COUNTED = 20_000  # rows at most that a table of shares counts: the newest
LARGEST_BAR = 100_000
_WORKER = "worker"  # the consumer whose position says what is stored
_TOP = 10


@dataclass(frozen=True, slots=True)
class Shares:
    """How often each value came, most often first."""

    rows: list[tuple[str, int]]
    total: int

    @property
    def bounded(self) -> bool:
        return self.total >= COUNTED


def bars(connection: Connection, parts: Sequence[Part]) -> list[int]:
    """How many captures came in during each part, up to LARGEST_BAR."""
    return [_bar(connection, part) for part in parts]


def _bar(connection: Connection, part: Part) -> int:
    within = select(capture.c.received_at).where(capture.c.received_at >= part.start, capture.c.received_at < part.end)
    some = within.limit(LARGEST_BAR).subquery()
    number: int = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return number


def capture_shares(connection: Connection, column: str, since: datetime) -> Shares:
    return _shares(connection, capture.c[column], capture.c.received_at, since)


def bounce_shares(connection: Connection, column: str, since: datetime) -> Shares:
    return _shares(connection, bounce.c[column], bounce.c.created_at, since)


def _shares(connection: Connection, value: Column[Any], at: Column[Any], since: datetime) -> Shares:
    newest = select(value.label("value")).where(at >= since).order_by(at.desc()).limit(COUNTED).subquery()
    number = func.count().label("number")
    statement = select(newest.c.value, number).group_by(newest.c.value).order_by(number.desc(), newest.c.value)
    rows = [(str(name), int(times)) for name, times in connection.execute(statement)]
    return Shares(rows[:_TOP], sum(times for _, times in rows))


def newest_capture(connection: Connection) -> dict[str, Any] | None:
    """Key and time of the newest capture."""
    statement = select(capture.c.id, capture.c.received_at).order_by(capture.c.id.desc()).limit(1)
    row = connection.execute(statement).first()
    return {"id": row.id, "received_at": row.received_at.isoformat()} if row else None


def backlog(connection: Connection, folder: Path) -> int:
    """The octets in the journal that the worker has not stored yet."""
    position = positions.get(connection, _WORKER) or 0
    return sum(max(0, each.end - max(each.start, position)) for each in journal.segments(folder))
