"""The keys that programs call the API with: `bmx_ID_SECRET`. Of the secret only its hash is stored."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from handlers.message import Account
from storage import accounts, pages, shapes
from storage.tables import account, api_key

_TEXT = re.compile(r"bmx_([1-9][0-9]{0,8})_([0-9a-f]{64})")
_LONGEST_NAME = 200
MOST = 100  # keys of one account that are good
_USED_EVERY = timedelta(minutes=1)  # a key that is used all the time is not written all the time
SHOWN = select(*api_key.c, account.c.name.label("account")).join_from(
    api_key, account, api_key.c.account_id == account.c.id, isouter=True
)


class Scope(StrEnum):
    """What a key is good for."""

    READ = "read"  # whatever the API tells
    REGISTER = "register"  # messages
    SUPPRESS = "suppress"  # suppress and unbounce addresses, decide incidents
    LINK = "link"  # say which delivery a capture is about
    ERASE = "erase"  # remove all that is known of an address
    WEBHOOKS = "webhooks"  # where events are sent
    KEYS = "keys"  # make and revoke keys
    OPERATOR = "operator"  # all of it, of every account


class TooMany(ValueError):
    """The account has as many keys as it may."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that is known, has not expired and was not revoked."""

    id: int
    account: Account | None  # None: an operator's
    scopes: frozenset[Scope]
    last_used_at: datetime | None


def add(
    connection: Connection,
    owner: Account | None,
    scopes: Collection[Scope],
    now: datetime,
    *,
    name: str = "",
    expires_at: datetime | None = None,
) -> tuple[int, str]:
    """A new key: its id and its text, which nothing can tell again. Raises ValueError, TooMany among them."""
    _check(owner, scopes, name)
    _check_room(connection, owner, now)
    if expires_at is not None and expires_at <= now:
        raise ValueError(f"expires_at {expires_at.isoformat()} has passed: give a time to come")
    secret = secrets.token_hex(32)
    row = {
        "account_id": owner and owner.id,
        "name": name,
        "scopes": [scope.value for scope in Scope if scope in scopes],
        "secret_hash": _hash(secret),
        "created_at": now,
        "expires_at": expires_at,
    }
    key: int = connection.execute(api_key.insert().returning(api_key.c.id), row).scalar_one()
    return key, f"bmx_{key}_{secret}"


def find(connection: Connection, text: str, now: datetime) -> ApiKey | None:
    """The key with this text, where it is good now."""
    parts = _TEXT.fullmatch(text)
    if parts is None:
        return None
    row = connection.execute(SHOWN.where(api_key.c.id == int(parts[1]))).mappings().first()
    if row is None or not hmac.compare_digest(row["secret_hash"], _hash(parts[2])):
        return None
    if row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= now):
        return None
    whose = None if row["account_id"] is None else Account(row["account_id"], row["account"])
    return ApiKey(row["id"], whose, frozenset(map(Scope, row["scopes"])), row["last_used_at"])


def is_due(key: ApiKey, now: datetime) -> bool:
    """Whether its use is to be noted again."""
    return key.last_used_at is None or now - key.last_used_at >= _USED_EVERY


def note_use(connection: Connection, key: int, now: datetime) -> None:
    """Keep when a key was last used, to the minute."""
    earlier = or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at <= now - _USED_EVERY)
    connection.execute(update(api_key).where(api_key.c.id == key, earlier).values(last_used_at=now))


def revoke(connection: Connection, key: int, now: datetime) -> bool:
    """Make a key worthless from now on. False where it is not known or was revoked before."""
    statement = update(api_key).where(api_key.c.id == key, api_key.c.revoked_at.is_(None)).values(revoked_at=now)
    return connection.execute(statement).rowcount > 0


def listing(connection: Connection) -> Iterator[dict[str, Any]]:
    """Every key as `api-keys ls --json` shows it, in the order they were made."""
    return (shapes.api_key(row) for row in pages.rows(connection, SHOWN, api_key.c.id, page=500))


def _check_room(connection: Connection, owner: Account | None, now: datetime) -> None:
    """Raises TooMany. Who hands out operators' keys is at the command line, and has no limit."""
    if owner is None:
        return
    accounts.lock(connection, owner.id)
    good = api_key.c.revoked_at.is_(None), or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > now)
    number = select(func.count()).select_from(api_key).where(api_key.c.account_id == owner.id, *good)
    if connection.execute(number).scalar_one() >= MOST:
        raise TooMany(f"an account has at most {MOST} keys: revoke one first")


def _check(owner: Account | None, scopes: Collection[Scope], name: str) -> None:
    if not scopes:
        raise ValueError(f"a key needs a scope: {', '.join(Scope)}")
    if owner is None and set(scopes) != {Scope.OPERATOR}:
        raise ValueError("a key of no account has the scope operator alone")
    if owner is not None and Scope.OPERATOR in scopes:
        raise ValueError("a key with the scope operator belongs to no account")
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        raise ValueError(f"a key's name is at most {_LONGEST_NAME} printable characters, not {name[:250]!r}")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
