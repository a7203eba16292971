"""The log of suppressions: what became of each, when, and because of whom. Its id is a cursor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select, text

from handlers.effects import Standing, State
from handlers.events import Event, EventType
from storage import batch
from storage.shapes import moment
from storage.standing import Key
from storage.tables import account, suppression_change

_LOCK = text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=0x6368616E6765)  # "change"
_LOG = suppression_change.insert()
SHOWN = select(*suppression_change.c, account.c.name.label("account")).join_from(
    suppression_change, account, suppression_change.c.account_id == account.c.id, isouter=True
)


class Change(StrEnum):
    """What became of a suppression."""

    ADDED = "added"  # the address must not be mailed from now on
    LIFTED = "lifted"  # a person took it back
    EXPIRED = "expired"
    HELD = "held"  # it waits for a word on its incident
    RELEASED = "released"  # that word: it was the sender, not the address


@dataclass(frozen=True, slots=True)
class Effect:
    """One change of one suppression, with what stands after it."""

    key: Key
    change: Change
    standing: Standing
    at: datetime
    was: State | None = None
    who: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Changes as they are shown, and the cursor behind the last of them."""

    changes: list[dict[str, Any]]
    cursor: int


def record(connection: Connection, effects: Sequence[Effect]) -> list[Event]:
    """Log them, and say what senders are to be told: the caller puts these events last in the transaction."""
    if not effects:
        return []
    if connection.dialect.name == "postgresql":  # so that no lower id is committed later, as in storage/events.py
        connection.execute(_LOCK)
    batch.write(connection, _LOG, [_row(each) for each in effects])
    return [event for each in effects for event in _events(each)]


def after(connection: Connection, account_id: int | None, cursor: int, limit: int) -> Page:
    """What changed behind a cursor (0: from the first on), oldest first; for an account its own and everyone's."""
    statement = SHOWN.where(suppression_change.c.id > cursor).order_by(suppression_change.c.id).limit(limit)
    if account_id is not None:
        whose = suppression_change.c.account_id
        statement = statement.where(or_(whose == account_id, whose.is_(None)))
    rows = connection.execute(statement).mappings().all()
    return Page([shape(row) for row in rows], rows[-1]["id"] if rows else cursor)


def of_address(connection: Connection, address: str) -> list[dict[str, Any]]:
    """What became of the suppressions of one address (its key), oldest first."""
    statement = SHOWN.where(suppression_change.c.address == address).order_by(suppression_change.c.id)
    return [shape(row) for row in connection.execute(statement).mappings()]


def lifted_by_people(connection: Connection, since: datetime) -> dict[int | None, int]:
    """How many suppressions of each account were lifted since then."""
    number = func.count()
    statement = select(suppression_change.c.account_id, number).where(
        suppression_change.c.change == Change.LIFTED, suppression_change.c.at > since
    )
    return {row[0]: row[1] for row in connection.execute(statement.group_by(suppression_change.c.account_id))}


def shape(row: RowMapping) -> dict[str, Any]:
    """A change as it is shown."""
    return {
        "id": row["id"],
        "address": row["address"],
        "account": row["account"],
        "change": row["change"],
        "at": moment(row["at"]),
        "category": row["category"],
        "reason": row["reason"],
        "incident": row["incident_id"],
        "who": row["who"],
        "why": row["why"],
    }


def _row(each: Effect) -> dict[str, Any]:
    return {
        "account_id": each.key.account,
        "address": each.key.address,
        "change": each.change,
        "at": each.at,
        "category": each.standing.category,
        "reason": each.standing.reason,
        "capture_id": each.standing.capture,
        "incident_id": each.standing.incident,
        "who": each.who,
        "why": each.why,
    }


_TOLD = {
    Change.ADDED: (EventType.SUPPRESSION_ADDED,),
    Change.LIFTED: (EventType.SUPPRESSION_LIFTED, EventType.BOUNCE_CLEARED),
    Change.EXPIRED: (EventType.SUPPRESSION_LIFTED,),
    Change.HELD: (EventType.SUPPRESSION_LIFTED,),
    Change.RELEASED: (EventType.SUPPRESSION_LIFTED, EventType.BOUNCE_CLEARED),
}


def _events(each: Effect) -> Iterator[Event]:
    if each.change is Change.HELD and each.was is not State.ACTIVE:
        return  # nobody was told of it
    standing, key = each.standing, each.key
    for kind in _TOLD[each.change]:
        fact = f"{key.account or 'all'}:{key.address}:{each.change}:{standing.capture}:{each.at.isoformat()}"
        data = {
            "address": key.address,
            "change": str(each.change),
            "type": str(standing.type),
            "category": str(standing.category),
            "reason": str(standing.reason),
            "since": moment(standing.since),
            "expires_at": moment(standing.expires_at),
            "incident": standing.incident,
            "who": each.who,
            "why": each.why,
        }
        yield Event(kind, f"{kind}:{fact}", key.account, None, data, each.at)
