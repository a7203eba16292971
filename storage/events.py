"""The outbox: what senders are told, written in the transaction that made it true.

Webhooks and the pull cursor read it in the order of its ids. put() has one writer at a time until its commit, in
PostgreSQL by a lock: an id that is seen has no lower one that is committed later, so a cursor passes over nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, text

from handlers.events import Event
from storage import batch
from storage.shapes import moment
from storage.tables import account, event, event_count
from storage.upsert import insert_new

_CHUNK = 500  # both databases bound the number of parameters of a statement
_LOCK = text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=0x6576656E74)  # "event"
_KNOWN = select(event.c.key).where(event.c.key.in_(bindparam("keys", expanding=True)))
_COUNTS = (
    select(event.c.delivery_id, func.max(event.c.sequence))
    .where(event.c.delivery_id.in_(bindparam("deliveries", expanding=True)))
    .group_by(event.c.delivery_id)
)
_FORGOTTEN = select(event_count.c.delivery_id, event_count.c.sequence).where(
    event_count.c.delivery_id.in_(bindparam("deliveries", expanding=True))
)
SHOWN = select(*event.c, account.c.name.label("account")).join_from(
    event, account, event.c.account_id == account.c.id, isouter=True
)


@dataclass(frozen=True, slots=True)
class Page:
    """Events as they are shown, and the cursor behind the last of them."""

    events: list[dict[str, Any]]
    cursor: int


def put(connection: Connection, events: Sequence[Event]) -> None:
    """Store events in the caller's transaction; one whose key is there already is left out.

    Call it last in a transaction: other writers of events wait until that ends.
    """
    if not events:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
    new = {each.key: each for each in reversed(events)}  # of one key the first counts
    known = set(_known(connection, list(new)))
    fresh = [each for each in events if each.key not in known and new[each.key] is each]
    if fresh:
        counts = _counts(connection, {each.delivery for each in fresh if each.delivery is not None})
        batch.write(connection, insert_new(connection, event), [_row(each, counts) for each in fresh])


def after(connection: Connection, account_id: int | None, cursor: int, limit: int) -> Page:
    """The events that follow a cursor (0: from the first on), oldest first; for an account its own, else all."""
    statement = SHOWN.where(event.c.id > cursor).order_by(event.c.id).limit(limit)
    if account_id is not None:
        statement = statement.where(event.c.account_id == account_id)
    rows = connection.execute(statement).mappings().all()
    return Page([shape(row) for row in rows], rows[-1]["id"] if rows else cursor)


def shape(row: RowMapping) -> dict[str, Any]:
    """An event as webhooks and the API show it. Receivers read this: fields are added, never renamed."""
    return {
        "id": name(row["id"]),
        "type": row["type"],
        "timestamp": moment(row["occurred_at"]),
        "account": row["account"],
        "delivery": row["delivery_id"],
        "sequence": row["sequence"],
        "data": row["data"],
    }


def name(event_id: int) -> str:
    """What a receiver knows an event by: the same on every try, at every endpoint."""
    return f"evt_{event_id}"


def _known(connection: Connection, keys: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(keys), _CHUNK):
        yield from connection.execute(_KNOWN, {"keys": keys[start : start + _CHUNK]}).scalars()


def _counts(connection: Connection, deliveries: Collection[int]) -> dict[int, int]:
    """How many events each delivery has, or had."""
    counts: dict[int, int] = {}
    ids = sorted(deliveries)
    for start in range(0, len(ids), _CHUNK):
        asked = {"deliveries": ids[start : start + _CHUNK]}
        counts |= {row[0]: row[1] for row in connection.execute(_COUNTS, asked)}
    left = [key for key in ids if key not in counts]
    for start in range(0, len(left), _CHUNK):
        asked = {"deliveries": left[start : start + _CHUNK]}
        counts |= {row[0]: row[1] for row in connection.execute(_FORGOTTEN, asked)}
    return counts


def _row(new: Event, counts: dict[int, int]) -> dict[str, Any]:
    """The columns of an event; counts it."""
    if new.delivery is not None:
        counts[new.delivery] = counts.get(new.delivery, 0) + 1
    return {
        "account_id": new.account,
        "delivery_id": new.delivery,
        "sequence": None if new.delivery is None else counts[new.delivery],
        "type": new.type,
        "key": new.key,
        "data": dict(new.data),
        "occurred_at": new.occurred_at,
    }
