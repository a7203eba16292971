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
_SQLITE = f"SELECT {_FIELDS} FROM json_each(:asked) AS a CROSS JOIN suppression AS s WHERE s.address = a.value AND "  # noqa: S608
_POSTGRESQL = (
    f"SELECT {_FIELDS} FROM unnest(CAST(:asked AS text[])) AS a(value) CROSS JOIN LATERAL"  # noqa: S608
    " (SELECT * FROM suppression WHERE address = a.value AND {whose} LIMIT {most}) AS s"
)
_MOST_ACCOUNTS = 1_000_000  # more than there can be
_OWN, _EVERYONES, _ANYBODYS = "account_id = :account", "account_id IS NULL", "true"


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

    An address that is not in the answer is eligible. Without an account: for any account, as an operator sees it.
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


def statement(dialect: str, account_id: int | None) -> TextClause:
    """The query, for those who want to see its plan: `asked` (JSON or an array) and `account`."""
    whose = (_ANYBODYS,) if account_id is None else (_OWN, _EVERYONES)
    if dialect == "postgresql":
        most = _MOST_ACCOUNTS if account_id is None else 1
        return text(" UNION ALL ".join(_POSTGRESQL.format(whose=each, most=most) for each in whose))
    return text(" UNION ALL ".join(_SQLITE + each for each in whose))


def parameters(dialect: str, account_id: int | None, keys: list[str]) -> dict[str, Any]:
    """What statement() is given."""
    asked = keys if dialect == "postgresql" else json.dumps(keys)
    return {"asked": asked} if account_id is None else {"asked": asked, "account": account_id}


def _rows(connection: Connection, account_id: int | None, keys: list[str]) -> Iterable[Any]:
    dialect = connection.dialect.name
    return connection.execute(statement(dialect, account_id).columns(*_TYPED), parameters(dialect, account_id, keys))


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
