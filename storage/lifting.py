"""A person lifts suppressions: who, when and why, within limits. Older reports suppress none of them again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, select, true

from handlers.effects import State
from storage import changes, events, hashing, standing
from storage.changes import Change, Effect
from storage.columns import address_key
from storage.standing import Key, chunks
from storage.tables import suppression

_DAY = timedelta(days=1)


class TooMany(Exception):
    """More than an account may lift in a day; nothing was lifted."""


@dataclass(frozen=True, slots=True)
class Word:
    """Who lifts, why and when."""

    who: str
    why: str
    now: datetime


def lift(connection: Connection, addresses: Iterable[str], account_id: int | None, word: Word, most: int) -> list[Key]:
    """Let an account mail these again (None: each that has them suppressed); those that were suppressed or held.

    What holds for everyone stays: see lift_everyones(). Raises TooMany where an account would lift more than `most`
    within a day.
    """
    whose = suppression.c.account_id.is_not(None) if account_id is None else suppression.c.account_id == account_id
    return _lift(connection, _rows(connection, addresses, whose), word, most)


def lift_everyones(connection: Connection, addresses: Iterable[str], word: Word, most: int) -> list[Key]:
    """Take back what holds for everyone, as only an operator may; what accounts have of their own stays.

    Raises TooMany.
    """
    return _lift(connection, _rows(connection, addresses, suppression.c.account_id.is_(None)), word, most)


def lift_incident(connection: Connection, number: int, account_id: int | None, word: Word, most: int) -> list[Key]:
    """Lift all that an incident caused, held or confirmed. Raises TooMany."""
    whose = true() if account_id is None else suppression.c.account_id == account_id
    statement = select(suppression).where(suppression.c.incident_id == number, whose, _stands())
    return _lift(connection, connection.execute(statement.with_for_update()).mappings().all(), word, most)


def _rows(connection: Connection, addresses: Iterable[str], whose: ColumnElement[bool]) -> list[RowMapping]:
    keys = list(dict.fromkeys(map(address_key, addresses)))
    if hash_key := hashing.key(connection):
        keys += [hashing.hashed(key, hash_key) for key in keys]
    found: list[RowMapping] = []
    for chunk in chunks(keys):
        statement = select(suppression).where(suppression.c.address.in_(chunk), whose, _stands())
        found += connection.execute(statement.with_for_update()).mappings()
    return found


def _stands() -> ColumnElement[bool]:
    return suppression.c.state.in_((State.ACTIVE, State.HELD))


def _lift(connection: Connection, rows: Sequence[RowMapping], word: Word, most: int) -> list[Key]:
    _refuse_too_many(connection, rows, word.now, most)
    after = standing.turned(rows, state=State.LIFTED, lifted_at=word.now, held_until=None)
    standing.write(connection, standing.by_key(rows), after)
    made = [Effect(key, Change.LIFTED, each, word.now, who=word.who, why=word.why) for key, each in after.items()]
    events.put(connection, changes.record(connection, made))
    return list(after)


def _refuse_too_many(connection: Connection, rows: Sequence[RowMapping], now: datetime, most: int) -> None:
    wanted = Counter(row["account_id"] for row in rows)
    lately = changes.lifted_by_people(connection, now - _DAY) if rows else {}
    for account_id, number in wanted.items():
        left = max(0, most - lately.get(account_id, 0))
        if number > left:
            raise TooMany(f"{number} addresses are to be lifted, and an account may lift {most} a day: {left} are left")
