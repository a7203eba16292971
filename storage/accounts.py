"""The tenants."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from handlers.message import Account
from storage import shapes
from storage.tables import account
from storage.upsert import insert_new

_MOST = 2**20 - 1  # a token has 20 bits for the account
_LONGEST_NAME = 200


def ensure(connection: Connection, name: str, owner: str | None = None) -> Account:
    """The account with this name, made where it is missing. Raises ValueError for a name that cannot be one."""
    found = find(connection, name)
    if found is None:
        _check("an account's name", name)
        if owner is not None:
            _check("an owner's name", owner)
        row = {"name": name, "owner": owner, "created_at": datetime.now(UTC)}
        connection.execute(insert_new(connection, account), row)
        found = find(connection, name)
    if found is None or found.id > _MOST:
        raise ValueError(f"there are {_MOST} accounts, and a return path has room for no more")
    return found


def find(connection: Connection, name: str) -> Account | None:
    """The account with this name."""
    row = connection.execute(select(account.c.id, account.c.name).where(account.c.name == name)).first()
    return Account(*row) if row else None


def listing(connection: Connection) -> Iterator[dict[str, Any]]:
    """Every account as `accounts --json` shows it, in the order they were made."""
    for row in connection.execute(select(account).order_by(account.c.id)).mappings():
        yield shapes.account(row)


def _check(what: str, name: str) -> None:
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise ValueError(f"{what} is 1 to {_LONGEST_NAME} printable characters, not {name[:250]!r}")


def lock(connection: Connection, account_id: int) -> None:
    """Until this transaction ends nobody else counts what the account has, to add to it."""
    connection.execute(select(account.c.id).where(account.c.id == account_id).with_for_update(key_share=True))
