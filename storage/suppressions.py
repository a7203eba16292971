"""The addresses that an account, or everyone, must not mail again: listed, said by a person, expired.

One or many addresses are asked for in storage/checking.py, lifted in storage/lifting.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, or_, select, text

from handlers import effects
from handlers.effects import Source, Standing, State
from handlers.words import BounceType, Category, Reason
from storage import changes, events, pages, shapes, standing
from storage.changes import Change, Effect
from storage.columns import address_key
from storage.standing import Key, chunks
from storage.suppression_tables import ACTIVE
from storage.tables import account, suppression

SHOWN = select(*suppression.c, account.c.name.label("account")).join_from(
    suppression, account, suppression.c.account_id == account.c.id, isouter=True
)
_MOST_EXPIRED = 5000  # in one transaction
_OVER = (
    select(suppression)
    .where(text(ACTIVE), suppression.c.expires_at <= bindparam("now"))
    .order_by(suppression.c.expires_at)
    .limit(_MOST_EXPIRED)
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class Said:
    """An address that a person, or a list of theirs, says must not be mailed."""

    address: str
    category: Category = Category.OTHER
    reason: Reason = Reason.SUPPRESSED
    since: datetime | None = None  # None: now
    expires_at: datetime | None = None  # None: never


def add(
    connection: Connection,
    account_id: int | None,
    new: Sequence[Said],
    *,
    now: datetime,
    who: str | None = None,
    why: str | None = None,
    source: Source = Source.PERSON,
) -> int:
    """Suppress addresses for an account (None: for everyone), because a person says so. How many were not already.

    No bounce and no reclassification touches these; only lifting takes them back.
    """
    added = 0
    told = []
    for chunk in chunks(new):
        wanted = {Key(address_key(each.address), account_id): each for each in chunk}
        before = standing.read(connection, list(wanted), lock=True)
        after = {}
        for key, each in wanted.items():
            stands = standing.standing(before[key]) if key in before else None
            if found := effects.said(stands, _standing(each, account_id, now, source)):
                after[key] = found
        written = standing.write(connection, before, after)
        made = [key for key in after if key in written and not _holds(before.get(key))]
        added += len(made)
        told += changes.record(connection, [Effect(key, Change.ADDED, after[key], now, None, who, why) for key in made])
    events.put(connection, told)
    return added


def expire(connection: Connection, now: datetime) -> int:
    """Log those whose time is over; how many. A check does not wait for this."""
    rows = connection.execute(_OVER, {"now": now}).mappings().all()
    after = standing.turned(rows, state=State.EXPIRED)
    standing.write(connection, standing.by_key(rows), after)
    made = [Effect(key, Change.EXPIRED, each, each.expires_at or now) for key, each in after.items()]
    events.put(connection, changes.record(connection, made))
    return len(made)


def listing(
    connection: Connection,
    account_name: str | None = None,
    state: State | None = State.ACTIVE,
    *,
    now: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """The suppressions as `suppressions --json` shows them, newest last; for an account those that hold for it.

    Those that stand so now: what must not be mailed, where nothing else is asked for. None: all, and each says how.
    """
    now = now or datetime.now(UTC)
    statement = shown(state, now)
    if account_name is not None:
        statement = statement.where(or_(suppression.c.account_id.is_(None), account.c.name == account_name))
    for each in pages.rows(connection, statement, suppression.c.id, page=500):
        yield shapes.suppression(each, now)


def shown(state: State | None, now: datetime) -> Select[Any]:
    """The rows of listing(). One whose time is over has expired, logged or not."""
    over = and_(suppression.c.expires_at.is_not(None), suppression.c.expires_at <= now)
    match state:
        case None:
            return SHOWN
        case State.ACTIVE:
            return SHOWN.where(suppression.c.state == state, ~over)
        case State.EXPIRED:
            return SHOWN.where(or_(suppression.c.state == state, and_(suppression.c.state == State.ACTIVE, over)))
        case _:
            return SHOWN.where(suppression.c.state == state)


def _standing(each: Said, account_id: int | None, now: datetime, source: Source) -> Standing:
    kind = BounceType.GLOBAL if account_id is None else BounceType.HARD
    return Standing(each.category, each.reason, each.since or now, each.expires_at, source=source, type=kind)


def _holds(row: Any) -> bool:
    return row is not None and row["state"] == State.ACTIVE
