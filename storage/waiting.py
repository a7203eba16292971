"""Captures that wait: each names a token or an id that nobody has registered, and is matched again when somebody does.

Registering only marks what came; the worker does the rest. What a token ties to its delivery waits for nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, delete, select, text, update

from handlers import inspection
from handlers.outcome import Outcome
from handlers.words import LinkMethod
from storage import batch
from storage.tables import waiting
from storage.upsert import insert_new

_COMING = {"valid", "late", "foreign"}  # a token that is refused stays refused
_MOST = 16  # of one capture: a mail names what it likes
_CHUNK = 500  # both databases bound the number of parameters of a statement
_LOCK = 0x77616974696E67  # a number of our own for pg_advisory_xact_lock
_HOLD = text("SELECT pg_advisory_xact_lock(:key)")
_SHARE = text("SELECT pg_advisory_xact_lock_shared(:key)")
_MARK = update(waiting).where(waiting.c.value.in_(bindparam("named", expanding=True)), ~waiting.c.due).values(due=True)
DUE = select(waiting.c.capture_id).where(waiting.c.due)


def hold(connection: Connection) -> None:
    """Until this transaction ends nobody registers: what it finds missing, and stores so, is missing."""
    _lock(connection, _HOLD)


def share(connection: Connection) -> None:
    """Until this transaction ends nobody holds: no capture is tied to what comes or goes here."""
    _lock(connection, _SHARE)


def insert(connection: Connection, outcomes: Iterable[Outcome]) -> None:
    """What captures wait for that are stored in this transaction; it began with hold()."""
    rows = [
        row
        for outcome in outcomes
        if outcome.links
        for row in _rows(outcome.mail.position, [inspection.link(each) for each in outcome.links])
    ]
    batch.write(connection, insert_new(connection, waiting), rows)


def replace(connection: Connection, capture: int, links: Iterable[Mapping[str, Any]]) -> None:
    """What one capture waits for from now on, by its links; within hold()."""
    connection.execute(delete(waiting).where(waiting.c.capture_id == capture))
    rows = _rows(capture, links)
    batch.write(connection, insert_new(connection, waiting), rows)


def mark(connection: Connection, registered: Iterable[str]) -> None:
    """Tokens and ids that this transaction has registered: captures that name one are due."""
    share(connection)
    values = list(dict.fromkeys(registered))
    for start in range(0, len(values), _CHUNK):
        connection.execute(_MARK, {"named": values[start : start + _CHUNK]})


def done(connection: Connection, captures: Sequence[int]) -> None:
    """These have been looked at again; within hold()."""
    connection.execute(update(waiting).where(waiting.c.capture_id.in_(captures)).values(due=False))


def _rows(capture: int, links: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"value": value, "capture_id": capture, "due": False} for value in list(_values(list(links)))[:_MOST]]


def _values(links: Sequence[Mapping[str, Any]]) -> dict[str, None]:
    if any(link["method"] == LinkMethod.TOKEN and link["delivery"] is not None for link in links):
        return {}
    return dict.fromkeys(str(link["value"]) for link in links if link["delivery"] is None and link["state"] in _COMING)


def _lock(connection: Connection, statement: TextClause) -> None:
    """SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(statement, {"key": _LOCK})
