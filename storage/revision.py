"""Stored captures, to be read again: the mails page by page, what is stored of each, and what takes its place."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, delete, func, select, update

from handlers.envelope import Envelope, Mail
from handlers.outcome import Outcome, Suppression
from storage import bounces, captures, columns, evidence, jsontext, waiting
from storage.columns import CleanText, address_key
from storage.standing import Key
from storage.tables import bounce, capture
from storage.upsert import insert_new

Row = dict[str, Any]
_PAGE = 100
_PAGE_OCTETS = 32 << 20  # of mail, as received
_FOUND = [column for column in capture.c if column.name != "raw"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of one capture, without its octets."""

    capture: RowMapping
    bounces: tuple[RowMapping, ...]  # by ordinal
    arrived: tuple[int, ...] = ()  # deliveries, in their order

    @property
    def id(self) -> int:
        return int(self.capture["id"])


@dataclass(frozen=True, slots=True)
class Revised:
    """The same, as it is found now: only what reading it again can change."""

    capture: Row
    bounces: tuple[Row, ...]
    arrived: tuple[int, ...] = ()


def extent(connection: Connection) -> tuple[int, int | None]:
    """How many captures there are, and the id of the last."""
    statement = select(func.count(), func.max(capture.c.id)).where(capture.c.erased_at.is_(None))
    number, last = connection.execute(statement).one()
    return number, last


def page(connection: Connection, after: int, last: int) -> list[Mail]:
    """The next mails behind this id, at least one where there is one; together they fit in memory."""
    return _fitting(connection, capture.c.id > after, capture.c.id <= last)


def due(connection: Connection) -> list[Mail]:
    """Mails that have what they waited for, as many as fit."""
    return _fitting(connection, capture.c.id.in_(waiting.DUE))


def _fitting(connection: Connection, *where: ColumnElement[bool]) -> list[Mail]:
    sizes = select(capture.c.id, capture.c.size).where(*where, capture.c.erased_at.is_(None))
    room = _PAGE_OCTETS
    ids: list[int] = []
    for key, size in connection.execute(sizes.order_by(capture.c.id).limit(_PAGE)):
        room -= size
        if ids and room < 0:
            break
        ids.append(key)
    rows = connection.execute(select(capture).where(capture.c.id.in_(ids)).order_by(capture.c.id)).mappings()
    return [_mail(row) for row in rows]


def stored(connection: Connection, ids: Sequence[int], *, lock: bool = False) -> list[Stored]:
    """What is stored of these captures; with `lock` no other transaction revises them before this one ends."""
    of_these = select(*_FOUND).where(capture.c.id.in_(ids)).order_by(capture.c.id)
    rows = connection.execute(of_these.with_for_update() if lock else of_these).mappings().all()
    found: dict[int, list[RowMapping]] = {row["id"]: [] for row in rows}
    belonging = select(bounce).where(bounce.c.capture_id.in_(ids)).order_by(bounce.c.capture_id, bounce.c.ordinal)
    for each in connection.execute(belonging).mappings():
        found[each["capture_id"]].append(each)
    arrived = evidence.arrivals(connection, ids)
    return [Stored(row, tuple(found[row["id"]]), arrived.get(row["id"], ())) for row in rows]


def revised(outcome: Outcome) -> Revised:
    """What would be stored of a capture that is read now, as the database would give it back."""
    rows = [bounces.row(outcome, number, each, datetime.now(UTC)) for number, each in enumerate(outcome.bounces)]
    return Revised(
        _as_stored(capture, captures.findings(outcome)),
        tuple(_as_stored(bounce, each) for each in rows),
        tuple(sorted(each.id for each in outcome.delivered)),
    )


def is_same(old: Stored, new: Revised) -> bool:
    """Whether there is nothing to replace."""
    pairs = zip(old.bounces, new.bounces, strict=False)
    return (
        len(old.bounces) == len(new.bounces)
        and old.arrived == new.arrived
        and all(not _difference(was, now) for was, now in pairs)
        and not _difference(old.capture, new.capture)
    )


def replace(connection: Connection, old: Stored, new: Revised) -> None:
    """Store `new`. A bounce of the same address keeps its id and its time; another one gets its own."""
    changed = _difference(old.capture, new.capture)
    if changed:
        waiting.replace(connection, old.id, new.capture["links"])
        connection.execute(update(capture).where(capture.c.id == old.id), changed)
    if old.arrived != new.arrived:
        evidence.replace(connection, old.id, new.arrived)
    missing = {each["ordinal"]: each for each in new.bounces}
    for was in old.bounces:
        now = missing.get(was["ordinal"])
        if now is None or (now["address_key"], now["account_id"]) != (was["address_key"], was["account_id"]):
            connection.execute(delete(bounce).where(bounce.c.id == was["id"]))
            continue
        del missing[was["ordinal"]]
        if changed := _difference(was, now):
            connection.execute(update(bounce).where(bounce.c.id == was["id"]), changed)
    if missing:
        connection.execute(insert_new(connection, bounce), list(missing.values()))


def deliveries(old: Stored, new: Revised) -> set[int]:
    """Those of which the one or the other says something."""
    bounced = {row["delivery_id"] for row in old.bounces} | {row["delivery_id"] for row in new.bounces}
    return {*old.arrived, *new.arrived, *bounced} - {None}


def key_of(found: Suppression) -> Key:
    """What it is known by when it is stored."""
    return Key(address_key(found.address), found.account.id if found.account else None)


def _mail(row: RowMapping) -> Mail:
    envelope = Envelope(
        reverse_path=row["reverse_path"],
        forward_paths=tuple(row["forward_paths"]),
        helo=row["helo"],
        client=row["client"],
        received_at=row["received_at"],
        protocol=row["protocol"],
        tls=row["tls"],
    )
    return Mail(row["id"], envelope, zlib.decompress(row["raw"]))


_OWN = ("created_at",)  # of the row, not of what was found


def _difference(was: RowMapping, now: Row) -> Row:
    """The columns that are to be changed."""
    return {name: value for name, value in now.items() if name not in _OWN and was[name] != value}


def _as_stored(table: Table, row: Row) -> Row:
    """The row as a SELECT would give it."""
    return {name: _value(table, name, value) for name, value in row.items()}


def _value(table: Table, name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | datetime):
        return value
    kind = table.c[name].type
    if isinstance(kind, CleanText):
        return columns.clean(str(value))[: kind.limit]
    return jsontext.loads(columns.dump(value))
