"""How deliveries stand, with each revision: what captures say of them, and what the clock says."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select

from handlers import states
from handlers.events import Event
from handlers.message import Delivery
from handlers.outcome import Outcome
from handlers.report import RecipientStatus
from handlers.states import Change, Place, Standing
from handlers.words import BounceType, Category, Cause, Reason, Resolution, State
from storage import batch, evidence, ledger
from storage.tables import delivery, delivery_state, state_change
from storage.upsert import Insert, insert_into

_CHUNK = 500  # both databases bound the number of parameters of a statement
_STANDING = (
    delivery_state.c.state,
    delivery_state.c.resolution,
    delivery_state.c.since,
    delivery_state.c.type,
    delivery_state.c.category,
    delivery_state.c.reason,
    delivery_state.c.capture_id,
    delivery_state.c.pending_since,
    delivery_state.c.delivered_at,
)
_OF_THESE = select(delivery_state.c.delivery_id, *_STANDING).where(
    delivery_state.c.delivery_id.in_(bindparam("ids", expanding=True))
)
_REVISE = state_change.insert()
_OF_THESE_LOCKED = _OF_THESE.with_for_update()
_DUE = (delivery_state.c.state == State.PENDING, delivery_state.c.pending_since <= bindparam("until"))
_IS_DUE = select(func.min(delivery_state.c.delivery_id)).where(*_DUE)
_DUE_DELIVERIES = (
    ledger.DELIVERIES.add_columns(*_STANDING)
    .join(delivery_state, delivery_state.c.delivery_id == delivery.c.id)
    .where(*_DUE)
    .order_by(delivery_state.c.pending_since)
    .limit(bindparam("most"))
    .with_for_update(of=delivery_state)
)


@dataclass(slots=True)
class Revisions:
    """How deliveries stand while a batch is told, and what has changed since it began."""

    standing: dict[int, Standing]
    touched: set[int] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)

    def hear(self, said: states.Heard) -> None:
        key = said.delivery.id
        was = self.standing.get(key, Standing())
        now = states.step(was, said)
        if now is was:
            return
        self.put(Change(said.delivery, was, now, Cause.CAPTURE, said.moment, said.recipient))

    def put(self, change: Change) -> None:
        """The delivery stands as the change says; where that tells the same of it, it is no revision."""
        key = change.delivery.id
        if change.was != change.now:
            self.standing[key] = change.now
            self.touched.add(key)
        if states.differ(change.was, change.now):
            self.changes.append(change)

    def write(self, connection: Connection) -> list[Event]:
        """Store them, in the transaction that they were read in. Returns what is to be told."""
        rows = [_row(key, self.standing[key]) for key in sorted(self.touched) if self.standing[key] != Standing()]
        gone = [key for key in self.touched if self.standing[key] == Standing()]
        batch.write(connection, _upsert(connection.dialect.name), rows)
        if gone:
            connection.execute(delete(delivery_state).where(delivery_state.c.delivery_id.in_(gone)))
        batch.write(connection, _REVISE, [_revision(each) for each in self.changes])
        return [event for change in self.changes if (event := states.event(change))]


def hear(connection: Connection, outcomes: Sequence[Outcome]) -> list[Event]:
    """Store what captures say of deliveries. Only what was never stored may be told: nobody tells a replay twice."""
    said = [each for outcome in outcomes for each in states.heard(outcome)]
    if not said:
        return []
    revisions = Revisions(standings(connection, {each.delivery.id for each in said}, lock=True))
    for each in said:
        revisions.hear(each)
    return revisions.write(connection)


def rejudge(connection: Connection, deliveries: Collection[int], cause: Cause, at: datetime) -> list[Event]:
    """Deliveries stand by what is stored of their captures now; to be called where some of that has changed."""
    ids = sorted(deliveries)
    told: list[Event] = []
    for start in range(0, len(ids), _CHUNK):
        told += _rejudge(connection, ids[start : start + _CHUNK], cause, at)
    return told


def _rejudge(connection: Connection, ids: Sequence[int], cause: Cause, at: datetime) -> list[Event]:
    before = standings(connection, ids, lock=True)
    revisions = Revisions(dict(before))
    rows = connection.execute(ledger.DELIVERIES.where(delivery.c.id.in_(ids)))
    ours = {each.id: each for each in map(ledger.read, rows)}
    after = dict.fromkeys(ours, Standing())
    recipients: dict[int, RecipientStatus | None] = {}
    for said in evidence.of(connection, ours):
        key = said.delivery.id
        after[key] = states.step(after[key], said)
        if after[key].capture == said.capture:
            recipients[key] = said.recipient
    for key, now in after.items():
        was = before.get(key, Standing())
        if was.place == states.ASSUMED and was.pending_since:  # and what was assumed stays so
            now = states.assume(now, was.since - was.pending_since)
        moment = now.since if cause is Cause.CAPTURE and now != Standing() else at
        revisions.put(Change(ours[key], was, now, cause, moment, recipients.get(key)))
    return revisions.write(connection)


def standings(connection: Connection, deliveries: Collection[int], *, lock: bool = False) -> dict[int, Standing]:
    """How these deliveries stand; those of which nothing was heard are left out.

    With `lock` no other transaction changes them before this one ends.
    """
    statement = _OF_THESE_LOCKED if lock else _OF_THESE
    ids = sorted(deliveries)
    found: dict[int, Standing] = {}
    for start in range(0, len(ids), _CHUNK):
        rows = connection.execute(statement, {"ids": ids[start : start + _CHUNK]})
        found.update((row[0], _standing(row[1:])) for row in rows)
    return found


def is_due(connection: Connection, now: datetime, window: timedelta) -> bool:
    """Whether assume() has something to do."""
    return connection.execute(_IS_DUE, {"until": now - window}).scalar() is not None


def assume(connection: Connection, now: datetime, window: timedelta, most: int = 500) -> tuple[int, list[Event]]:
    """Pending deliveries, `window` after their first delay, become soft. How many, at most `most`, and the events."""
    revisions = Revisions({})
    rows = connection.execute(_DUE_DELIVERIES, {"until": now - window, "most": most}).all()
    for row in rows:
        ours: Delivery = ledger.read(row[: -len(_STANDING)])
        was = _standing(row[-len(_STANDING) :])
        later = states.assume(was, window)
        revisions.put(Change(ours, was, later, Cause.CLOCK, later.since))
    return len(rows), revisions.write(connection)


def _standing(row: Iterable[Any]) -> Standing:
    state, resolution, since, type_, category, reason, *rest = row
    return Standing(
        Place(State(state), resolution and Resolution(resolution)),
        since,
        type_ and BounceType(type_),
        category and Category(category),
        reason and Reason(reason),
        *rest,
    )


def _row(key: int, standing: Standing) -> dict[str, Any]:
    return {
        "delivery_id": key,
        "state": standing.place.state,
        "resolution": standing.place.resolution,
        "type": standing.type,
        "category": standing.category,
        "reason": standing.reason,
        "since": standing.since,
        "pending_since": standing.pending_since,
        "delivered_at": standing.delivered_at,
        "capture_id": standing.capture,
    }


def _revision(change: Change) -> dict[str, Any]:
    now = change.now
    return {
        "delivery_id": change.delivery.id,
        "from_state": change.was.place.state,
        "to_state": now.place.state,
        "resolution": now.place.resolution,
        "type": now.type,
        "category": now.category,
        "reason": now.reason,
        "cause": change.cause,
        "capture_id": now.capture,
        "at": change.at,
    }


@cache  # SQLAlchemy then compiles it once
def _upsert(dialect: str) -> Insert:
    new = insert_into(delivery_state, dialect)
    replaced = {column.name: new.excluded[column.name] for column in delivery_state.c if not column.primary_key}
    return new.on_conflict_do_update(index_elements=["delivery_id"], set_=replaced)
