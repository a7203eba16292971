"""The addresses that an account, or everyone, must not mail again."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, or_, select

from handlers.outcome import Outcome, Suppression
from storage import pages, shapes
from storage.columns import address_key
from storage.tables import account, suppression
from storage.upsert import insert_new

SHOWN = select(*suppression.c, account.c.name.label("account")).join_from(
    suppression, account, suppression.c.account_id == account.c.id, isouter=True
)
_CHUNK = 500  # both databases bound the number of parameters of a statement


def insert(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Store what follows from captures that are stored; the first suppression of an address stays."""
    rows = [
        row(each, outcome.mail.envelope.received_at, outcome.mail.position)
        for outcome in outcomes
        for each in outcome.suppressions
    ]
    if rows:
        connection.execute(insert_new(connection, suppression), rows)


def add(connection: Connection, new: Suppression, since: datetime, capture: int | None = None) -> bool:
    """Suppress an address. False where that account, or everyone, had it suppressed: the first one stays."""
    statement = insert_new(connection, suppression).returning(suppression.c.id)
    return connection.execute(statement, row(new, since, capture)).first() is not None


def remove(connection: Connection, address: str, account_name: str | None) -> bool:
    """Let an account mail the address again (None: take back what holds for everyone). False where nothing was."""
    owner = select(account.c.id).where(account.c.name == account_name).scalar_subquery()
    whose = suppression.c.account_id.is_(None) if account_name is None else suppression.c.account_id == owner
    return (
        connection.execute(delete(suppression).where(suppression.c.address == address_key(address), whose)).rowcount > 0
    )


def listing(
    connection: Connection, account_name: str | None = None, *, newest_first: bool = False
) -> Iterator[dict[str, Any]]:
    """Every suppression as `suppressions --json` shows it, newest last; for an account those that hold for it."""
    statement = _for(SHOWN, account_name)
    for each in pages.rows(connection, statement, suppression.c.id, page=500, newest_first=newest_first):
        yield shapes.suppression(each)


def check(
    connection: Connection, addresses: Iterable[str], account_name: str | None = None
) -> dict[str, list[dict[str, Any]]]:
    """The suppressions of each address that has one, under the spelling that was asked for.

    With an account, those that hold for it: its own and everyone's. Without one, all of them.
    """
    asked: dict[str, list[str]] = {}
    for address in dict.fromkeys(addresses):
        asked.setdefault(address_key(address), []).append(address)
    found: dict[str, list[dict[str, Any]]] = {}
    keys = list(asked)
    for start in range(0, len(keys), _CHUNK):
        of_these = SHOWN.where(suppression.c.address.in_(keys[start : start + _CHUNK]))
        statement = _for(of_these, account_name).order_by(suppression.c.id)
        for each in connection.execute(statement).mappings():
            for spelling in asked[each["address"]]:
                found.setdefault(spelling, []).append(shapes.suppression(each))
    return found


def _for(statement: Select[Any], account_name: str | None) -> Select[Any]:
    if account_name is None:
        return statement
    return statement.where(or_(suppression.c.account_id.is_(None), account.c.name == account_name))


def row(new: Suppression, since: datetime, capture: int | None) -> dict[str, Any]:
    """The columns of a suppression."""
    return {
        "account_id": new.account and new.account.id,
        "address": address_key(new.address),
        "type": new.type,
        "category": new.category,
        "reason": new.reason,
        "since": since,
        "capture_id": capture,
    }
