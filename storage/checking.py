"""May these addresses be mailed? A statement for each thousand of them, each address a search in an index.

An account's own suppressions, everyone's, held and expired ones, and those whose address was erased: one path.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from handlers.effects import State
from storage import hashing, jsontext
from storage.columns import LONGEST_ADDRESS, address_key
from storage.pipelined import Ask, Rows, asking
from storage.shapes import moment
from storage.suppression_tables import CHECKED

_WHOSE = " AND (s.account_id = {account} OR s.account_id IS NULL)"  # at most one of each
# CROSS JOIN tells SQLite, and LATERAL with OFFSET tells PostgreSQL, to search for each of the addresses: both would
# rather read the whole table, knowing nothing of how many are asked for
_SQLITE = (  # in one row: each that comes on its own costs as much as the search
    "SELECT json_group_array(json_array({fields}))"
    " FROM json_each(:asked) AS a CROSS JOIN suppression AS s WHERE s.address = a.value{whose}"
)
_POSTGRESQL = (
    "SELECT s.* FROM json_array_elements_text(CAST(%(asked)s AS json)) AS a(value) CROSS JOIN LATERAL"
    " (SELECT {fields} FROM suppression AS s WHERE s.address = a.value{whose} OFFSET 0) AS s"
)
# a number is read faster than a time as PostgreSQL writes it, in the zone of the session
_MICROSECONDS = "CAST(1000000 * date_part('epoch', {field}) AS bigint) AS {name}"
_TIMES = ("since", "expires_at", "held_until")
_PART = 1000  # addresses a statement
_ACTIVE = State.ACTIVE
_STATES = {str(state): state for state in State if state is not State.LIFTED}


class Found(NamedTuple):
    """What stands against an address, or stood."""

    eligible: bool
    state: State  # active; held and expired ones stand against nothing
    type: str  # hard: suppressed in the account itself; global: only for everyone
    category: str | None  # of the account's own suppression: one for everyone says no reason of the account
    reason: str | None
    since: datetime
    expires_at: datetime | None
    held_until: datetime | None  # of a held one: eligible until then, unless a wave brought it
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
            "held_until": moment(self.held_until),
            "globally_ineligible": self.globally,
        }


def check(
    connection: Connection, account_id: int | None, addresses: Iterable[str], now: datetime | None = None
) -> dict[str, Found]:
    """What stands against these addresses for an account, under the spelling that was asked for.

    An address that is not in the answer is eligible. Without an account: for any account, as an operator sees it.
    """
    now = now or datetime.now(UTC)
    asked, others = _keys(addresses)
    found: dict[str, Found] = {}
    hash_key = hashing.key(connection)
    with asking(connection) as ask:
        later: list[tuple[dict[str, str], Rows]] = []  # the hashes, while the server searches for the next addresses
        for part, rows in [(part, _ask(ask, connection, account_id, part)) for part in _parts(connection, asked)]:
            _take(found, asked, rows(), now)
            if hash_key:
                open_ = [key for key in part if asked[key] not in found or found[asked[key]].eligible]
                hashes = {
                    each: asked[key] for each, key in zip(hashing.all_hashed(open_, hash_key), open_, strict=True)
                }
                later.append((hashes, _ask(ask, connection, account_id, list(hashes))))
        for hashes, rows in later:
            _take(found, hashes, rows(), now)
    for key, spellings in others.items():
        if asked[key] in found:
            found.update(dict.fromkeys(spellings, found[asked[key]]))
    return found


def _parts(connection: Connection, keys: Iterable[str]) -> list[list[str]]:
    ordered = sorted(keys) if connection.dialect.name == "sqlite" else list(keys)  # in a tree, neighbours share pages
    return [ordered[start : start + _PART] for start in range(0, len(ordered), _PART)]


def _ask(ask: Ask, connection: Connection, account_id: int | None, keys: list[str]) -> Rows:
    dialect = connection.dialect.name
    rows = ask(statement(dialect, account_id), parameters(account_id, keys))
    return rows if dialect != "sqlite" else lambda: jsontext.loads(rows()[0][0])


def _keys(addresses: Iterable[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The first spelling of each key, and the other ones."""
    given = list(addresses)
    keys = _folded(given)
    first = dict(zip(keys, given, strict=True))
    if len(first) == len(given):
        return first, {}
    first.clear()
    others: dict[str, list[str]] = {}
    for key, address in zip(keys, given, strict=True):
        if first.setdefault(key, address) != address:
            others.setdefault(key, []).append(address)
    return first, others


def _folded(addresses: list[str]) -> list[str]:
    """Their keys; all at once where there is nothing odd in any."""
    together = "\n".join(addresses)
    if together.isascii() and "\0" not in together:
        keys = together.lower().split("\n")
        if len(keys) == len(addresses) and len(max(keys, key=len)) <= LONGEST_ADDRESS:
            return keys
    return [address_key(address) for address in addresses]


def statement(dialect: str, account_id: int | None) -> str:
    """The query as the driver takes it, for those who want to see its plan: `asked` (JSON) and `account`."""
    if dialect == "sqlite":
        whose = "" if account_id is None else _WHOSE.format(account=":account")
        return _SQLITE.format(fields=", ".join(f"s.{name}" for name in CHECKED), whose=whose)
    fields = (_MICROSECONDS.format(field=f"s.{name}", name=name) if name in _TIMES else f"s.{name}" for name in CHECKED)
    whose = "" if account_id is None else _WHOSE.format(account="%(account)s")
    return _POSTGRESQL.format(fields=", ".join(fields), whose=whose)


def parameters(account_id: int | None, keys: list[str]) -> dict[str, Any]:
    """What statement() is given."""
    asked = jsontext.dumps(keys)
    return {"asked": asked} if account_id is None else {"asked": asked, "account": account_id}


def _take(found: dict[str, Found], asked: Mapping[str, str], rows: Iterable[Sequence[Any]], now: datetime) -> None:
    for row in rows:
        if row[2] in _STATES:
            first, each = asked[row[0]], _found(row, now)
            found[first] = _join(found[first], each) if first in found else each


def _found(row: Sequence[Any], now: datetime) -> Found:
    _, account_id, said, kind, category, reason, since, expires_at, held_until = row
    state, since = _STATES[said], _time(since)
    if expires_at is not None:
        expires_at = _time(expires_at)
        if state is _ACTIVE and expires_at <= now:
            state = State.EXPIRED
    holds = state is _ACTIVE
    until = _time(held_until) if held_until is not None and state is State.HELD else None
    if account_id is None:
        return Found(not holds, state, kind, None, None, since, expires_at, until, holds)
    return Found(not holds, state, kind, category, reason, since, expires_at, until, False)


def _time(value: str | int) -> datetime:
    """A time as SQLite keeps it, in UTC without saying so, or in microseconds since 1970."""
    if isinstance(value, str):
        return datetime.fromisoformat(value + "+00:00")
    return datetime.fromtimestamp(value / 1_000_000, UTC)


def _join(one: Found, other: Found) -> Found:
    """The account's own and everyone's: what holds counts, and of two that hold the account's own."""
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
        shown.held_until,
        one.globally or other.globally,
    )
