"""Incidents, as they are shown and decided: a person says whether a wave was the sender's fault or the addresses'."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, func, select, update

from handlers.effects import State
from storage import changes, events, pages, standing
from storage.changes import Change, Effect
from storage.shapes import moment
from storage.tables import account, incident, suppression

RELEASED, CONFIRMED = "released", "confirmed"


class NoIncident(LookupError):
    """There is no incident with this number."""


def release(
    connection: Connection, number: int, *, who: str, why: str, now: datetime, account_id: int | None = None
) -> int:
    """It was the sender: none of the suppressions that it holds comes. How many they were.

    One for which something else waits too is worked out when that waits no more (storage/holding.py).
    Reports that were received before suppress none of them again. Raises NoIncident, also for another account's.
    """
    _allow(connection, number, account_id)
    return _decide(connection, number, RELEASED, who=who, why=why, now=now)


def confirm(
    connection: Connection, number: int, *, who: str, why: str, now: datetime, account_id: int | None = None
) -> int:
    """It was the addresses: all that it holds come into force, and it holds no more. Raises NoIncident."""
    _allow(connection, number, account_id)
    return _decide(connection, number, CONFIRMED, who=who, why=why, now=now)


def _allow(connection: Connection, number: int, account_id: int | None) -> None:
    whose = select(incident.c.id).where(incident.c.id == number)
    if account_id is not None:
        whose = whose.where(incident.c.account_id == account_id)
    if connection.execute(whose.with_for_update()).first() is None:
        raise NoIncident(f"there is no incident {number}; `bouncemx incidents` shows them")


def _decide(connection: Connection, number: int, decision: str, *, who: str, why: str, now: datetime) -> int:
    values = {"decision": decision, "decided_at": now, "who": who, "why": why}
    connection.execute(update(incident).where(incident.c.id == number), values)
    held = and_(suppression.c.state == State.HELD, suppression.c.incident_id == number)
    if decision == RELEASED:
        held = and_(held, suppression.c.held_until.is_(None))
    rows = connection.execute(select(suppression).where(held).with_for_update()).mappings().all()
    if decision == RELEASED:
        after = standing.turned(rows, state=State.LIFTED, lifted_at=now)
    else:
        after = standing.turned(rows, state=State.ACTIVE)
    standing.write(connection, standing.by_key(rows), after)
    change = Change.RELEASED if decision == RELEASED else Change.ADDED
    made = [Effect(key, change, each, now, State.HELD, who, why) for key, each in after.items()]
    events.put(connection, changes.record(connection, made))
    return len(made)


def listing(connection: Connection, account_id: int | None = None) -> Iterator[dict[str, Any]]:
    """Every incident as `incidents --json` shows it, newest last; for an account its own."""
    for row in pages.rows(connection, shown(account_id), incident.c.id, page=500):
        yield shape(row)


def get(connection: Connection, number: int, account_id: int | None = None) -> dict[str, Any] | None:
    """One incident; None where there is none, or none of that account."""
    statement = shown(account_id).where(incident.c.id == number)
    row = connection.execute(statement).mappings().first()
    return shape(row) if row else None


def shown(account_id: int | None = None) -> Select[Any]:
    """The rows of listing()."""
    held = (
        select(func.count())
        .where(suppression.c.incident_id == incident.c.id, suppression.c.state == State.HELD)
        .scalar_subquery()
    )
    statement = select(*incident.c, account.c.name.label("account"), held.label("held")).join_from(incident, account)
    return statement if account_id is None else statement.where(incident.c.account_id == account_id)


def shape(row: RowMapping) -> dict[str, Any]:
    """A line of `incidents --json`; `held` is how many suppressions wait for a word."""
    return {
        "id": row["id"],
        "account": row["account"],
        "provider": row["provider"],
        "reason": row["reason"],
        "state": "closed" if row["closed_at"] else "open",
        "began_at": moment(row["began_at"]),
        "opened_at": moment(row["opened_at"]),
        "last_at": moment(row["last_at"]),
        "closed_at": moment(row["closed_at"]),
        "refusals": row["refusals"],
        "held": row["held"],
        "decision": row["decision"],
        "decided_at": moment(row["decided_at"]),
        "who": row["who"],
        "why": row["why"],
    }
