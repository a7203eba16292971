"""Suppressions as rows: read and written for many addresses at once."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, bindparam, delete, select, tuple_, update

from handlers.effects import Source, Standing, State
from handlers.words import BounceType, Category, Reason
from storage import batch
from storage.tables import suppression
from storage.upsert import insert_new

_CHUNK = 500  # both databases bound the number of parameters of a statement


class Key(NamedTuple):
    """What a suppression is known by."""

    address: str  # as storage.columns.address_key makes it
    account: int | None  # None: everyone


_OWN = select(suppression).where(
    tuple_(suppression.c.address, suppression.c.account_id).in_(bindparam("keys", expanding=True))
)
_EVERYONES = select(suppression).where(
    suppression.c.account_id.is_(None), suppression.c.address.in_(bindparam("keys", expanding=True))
)
_COLUMNS = ("state", "source", "type", "category", "reason", "since")
_CHANGED = (*_COLUMNS, "expires_at", "capture_id", "incident_id", "lifted_at", "held_until")
_UPDATE = (
    update(suppression)
    .where(suppression.c.id == bindparam("row_id"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGED})
)


def read(connection: Connection, keys: Collection[Key], *, lock: bool = False) -> dict[Key, RowMapping]:
    """The rows of these that are there; with `lock` they stay so until the transaction ends."""
    own = [tuple(key) for key in keys if key.account is not None]
    everyones = [key.address for key in keys if key.account is None]
    found: dict[Key, RowMapping] = {}
    for statement, wanted in ((_OWN, own), (_EVERYONES, everyones)):
        locking = statement.with_for_update() if lock else statement
        for start in range(0, len(wanted), _CHUNK):
            rows = connection.execute(locking, {"keys": wanted[start : start + _CHUNK]}).mappings()
            found.update({Key(row["address"], row["account_id"]): row for row in rows})
    return found


def write(connection: Connection, before: Mapping[Key, RowMapping], after: Mapping[Key, Standing]) -> set[Key]:
    """Store what stands now, over what read() found; the keys that another transaction has made since are left out."""
    changed = [
        {"row_id": before[key]["id"], **{f"new_{name}": value for name, value in columns(standing).items()}}
        for key, standing in after.items()
        if key in before
    ]
    batch.write(connection, _UPDATE, changed)
    new = [
        {"address": key.address, "account_id": key.account, **columns(each)}
        for key, each in after.items()
        if key not in before
    ]
    if not new:
        return set(after)
    statement = insert_new(connection, suppression)
    if connection.dialect.name == "sqlite":  # one writer at a time: nobody else has made any
        batch.write(connection, statement, new)
        return set(after)
    returning = suppression.c.address, suppression.c.account_id
    made = {Key(*row) for row in connection.execute(statement.returning(*returning), new)}
    return {key for key in after if key in before or key in made}


def remove(connection: Connection, rows: Sequence[RowMapping]) -> None:
    """These were never to be; where a person lifted one before, that stays known."""
    lifted = [row for row in rows if row["lifted_at"] is not None]
    write(connection, by_key(lifted), turned(lifted, state=State.LIFTED, held_until=None))
    for chunk in chunks([row["id"] for row in rows if row["lifted_at"] is None]):
        connection.execute(delete(suppression).where(suppression.c.id.in_(chunk)))


def columns(each: Standing) -> dict[str, Any]:
    """The columns that a standing fills."""
    return {
        **{name: getattr(each, name) for name in (*_COLUMNS, "expires_at", "lifted_at", "held_until")},
        "capture_id": each.capture,
        "incident_id": each.incident,
    }


def standing(row: RowMapping) -> Standing:
    """A row as a value."""
    return Standing(
        category=Category(row["category"]),
        reason=Reason(row["reason"]),
        since=row["since"],
        expires_at=row["expires_at"],
        capture=row["capture_id"],
        state=State(row["state"]),
        source=Source(row["source"]),
        type=BounceType(row["type"]),
        incident=row["incident_id"],
        lifted_at=row["lifted_at"],
        held_until=row["held_until"],
    )


def turned(rows: Iterable[RowMapping], **change: Any) -> dict[Key, Standing]:
    """These rows with something changed, such as state=State.LIFTED."""
    return {Key(row["address"], row["account_id"]): replace(standing(row), **change) for row in rows}


def by_key(rows: Sequence[RowMapping]) -> dict[Key, RowMapping]:
    """The rows by what they are known by."""
    return {Key(row["address"], row["account_id"]): row for row in rows}


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """In pieces that fit into one statement."""
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
