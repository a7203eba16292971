"""May these addresses be mailed? One statement for any number of them, each a search in an index.

An account's own suppressions, everyone's, held and expired ones, and those whose address was erased: one path.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from handlers.effects import State
from storage import hashing
from storage.columns import address_key
from storage.shapes import moment
from storage.tables import suppression

_COLUMNS = ("address", "account_id", "state", "type", "category", "reason", "since", "expires_at")
_TYPED = [suppression.c[name] for name in _COLUMNS]
_FIELDS = ", ".join(f"s.{name}" for name in _COLUMNS)
# CROSS JOIN tells SQLite, and LATERAL with LIMIT tells PostgreSQL, to search for each of the addresses: both would
# rather read the whole table, knowing nothing of how many are asked for
_SQLITE = " UNION ALL ".join(
    f"SELECT {_FIELDS} FROM json_each(:asked) AS a CROSS JOIN suppression AS s WHERE s.address = a.value AND {whose}"  # noqa: S608
    for whose in ("s.account_id = :account", "s.account_id IS NULL")
)
_POSTGRESQL = " UNION ALL ".join(
    f"SELECT {_FIELDS} FROM unnest(CAST(:asked AS text[])) AS a(value) CROSS JOIN LATERAL"  # noqa: S608
    f" (SELECT * FROM suppression WHERE address = a.value AND {whose} LIMIT 1) AS s"
    for whose in ("account_id = :account", "account_id IS NULL")
)


@dataclass(frozen=True, slots=True)
class Found:
    """What stands against an address, or stood."""

    eligible: bool
    state: State  # active; held and expired ones stand against nothing
    type: str  # hard: suppressed in the account itself; global: only for everyone
    category: str | None  # of the account's own suppression: one for everyone says no reason of the account
    reason: str | None
    since: datetime
    expires_at: datetime | None
    globally: bool  # ineligible for everyone, whatever the account has of its own

    def shape(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "eligible": self.eligible,
            "state": str(self.state),
            "type": self.type,
            "category": self.category,
            "reason": self.reason,
            "since": moment(self.since),
            "expires_at": moment(self.expires_at),
            "globally_ineligible": self.globally,
        }


def check(
    connection: Connection, account_id: int | None, addresses: Iterable[str], now: datetime | None = None
) -> dict[str, Found]:
    """What stands against these addresses for an account, under the spelling that was asked for.

    An address that is not in the answer is eligible. Without an account: what holds for everyone.
    """
    now = now or datetime.now(UTC)
    asked: dict[str, list[str]] = {}
    for address in dict.fromkeys(addresses):
        asked.setdefault(address_key(address), []).append(address)
    if hash_key := hashing.key(connection):
        for key in list(asked):
            asked[hashing.hashed(key, hash_key)] = asked[key]
    found: dict[str, Found] = {}
    for row in _rows(connection, account_id, list(asked)):
        if row.state != State.LIFTED:
            for spelling in asked[row.address]:
                found[spelling] = _join(found.get(spelling), _found(row, now))
    return found


def statement(dialect: str) -> TextClause:
    """The query, for those who want to see its plan: `asked` (JSON or an array) and `account`."""
    return text(_POSTGRESQL if dialect == "postgresql" else _SQLITE)


def parameters(dialect: str, account_id: int | None, keys: list[str]) -> dict[str, Any]:
    """What statement() is given."""
    return {"asked": keys if dialect == "postgresql" else json.dumps(keys), "account": account_id}


def _rows(connection: Connection, account_id: int | None, keys: list[str]) -> Iterable[Any]:
    dialect = connection.dialect.name
    return connection.execute(statement(dialect).columns(*_TYPED), parameters(dialect, account_id, keys))


def _found(row: Any, now: datetime) -> Found:
    everyones = row.account_id is None
    state = State(row.state)
    if state is State.ACTIVE and row.expires_at is not None and row.expires_at <= now:
        state = State.EXPIRED
    holds = state is State.ACTIVE
    category, reason = (None, None) if everyones else (row.category, row.reason)
    return Found(not holds, state, row.type, category, reason, row.since, row.expires_at, everyones and holds)


def _join(one: Found | None, other: Found) -> Found:
    """The account's own and everyone's: what holds counts, and of two that hold the account's own."""
    if one is None:
        return other
    own, everyones = (one, other) if one.category is not None else (other, one)
    shown = own if not own.eligible or everyones.eligible else everyones
    return Found(
        one.eligible and other.eligible,
        shown.state,
        shown.type,
        shown.category,
        shown.reason,
        shown.since,
        shown.expires_at,
        one.globally or other.globally,
    )
