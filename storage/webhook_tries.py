"""What came of the tries: stored by the sender, shown by commands and API, forgotten after a time."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, insert, literal, select, update

from storage import events, pages
from storage.columns import Key
from storage.shapes import moment
from storage.tables import event
from storage.webhook_tables import attempt, dispatch, webhook

DISPATCH_STATES = ("queued", "delivered", "superseded", "dead")
_PURGE = 1000  # rows a transaction: others write too
_REQUEUED = {"state": "queued", "tries": 0, "finished_at": None, "superseded_by": None}


@dataclass(frozen=True, slots=True)
class Tried:
    """One try, and what follows for its dispatch."""

    dispatch_id: int
    at: datetime
    milliseconds: int
    status: int | None
    error: str | None
    excerpt: str | None
    state: str  # queued: again, when it is due
    due_at: datetime
    why: str | None


def healths(connection: Connection, webhook_ids: Collection[int]) -> dict[int, RowMapping]:
    """The endpoints that are still there, locked until the transaction ends."""
    statement = select(webhook).where(webhook.c.id.in_(sorted(webhook_ids))).order_by(webhook.c.id).with_for_update()
    return {row["id"]: row for row in connection.execute(statement).mappings()}


def put_health(connection: Connection, webhook_id: int, values: dict[str, Any]) -> None:
    """Columns of an endpoint."""
    connection.execute(update(webhook).where(webhook.c.id == webhook_id).values(values))


def record(connection: Connection, tried: Sequence[Tried]) -> None:
    """Store tries. A dispatch that is gone leaves no trace; one that was superseded meanwhile is not queued again."""
    ids = sorted({each.dispatch_id for each in tried})
    found = select(dispatch.c.id).where(dispatch.c.id.in_(ids)).order_by(dispatch.c.id).with_for_update()
    there = set(connection.execute(found).scalars())
    rows = [each for each in tried if each.dispatch_id in there]
    if not rows:
        return
    connection.execute(insert(attempt), [_attempt(each) for each in rows])
    connection.execute(_COUNT, [{"of": each.dispatch_id} for each in rows])
    for statement, of_these in (
        (_FINISH, [each for each in rows if each.state == "delivered"]),
        (_BURY, [each for each in rows if each.state == "dead"]),
        (_AGAIN, [each for each in rows if each.state == "queued"]),
    ):
        if of_these:
            connection.execute(
                statement,
                [{"of": each.dispatch_id, "due": each.due_at, "at": each.at, "said": each.why} for each in of_these],
            )


def wake(connection: Connection, webhook_id: int, now: datetime) -> None:
    """An endpoint is back: whatever waits for it is due."""
    waiting = update(dispatch).where(dispatch.c.webhook_id == webhook_id, dispatch.c.state == "queued")
    connection.execute(waiting.where(dispatch.c.due_at > now).values(due_at=now))


def bury(connection: Connection, webhook_id: int, before: datetime, now: datetime, why: str) -> None:
    """What was queued before this time is a dead letter."""
    old = update(dispatch).where(dispatch.c.webhook_id == webhook_id, dispatch.c.state == "queued")
    connection.execute(old.where(dispatch.c.queued_at < before).values(state="dead", finished_at=now, why=why))


def history(
    connection: Connection, account_id: int | None, webhook_id: int, *, before: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """The tries of an endpoint, newest first; `before`: the id of the last one seen."""
    statement: Select[Any] = (
        select(*attempt.c, *_EVENT, dispatch.c.state)
        .join_from(attempt, dispatch, attempt.c.dispatch_id == dispatch.c.id)
        .join(event, dispatch.c.event_id == event.c.id)
    )
    newest = pages.between(_of(statement, account_id, webhook_id), attempt.c.id, None, before)
    rows = connection.execute(newest.order_by(attempt.c.id.desc()).limit(limit)).mappings()
    return [_tried_shape(row) for row in rows]


def dispatches(
    connection: Connection,
    account_id: int | None,
    webhook_id: int,
    *,
    state: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """The events for an endpoint and what became of them, newest first; `state` as in DISPATCH_STATES."""
    statement: Select[Any] = select(*dispatch.c, *_EVENT).join_from(dispatch, event, dispatch.c.event_id == event.c.id)
    wanted = pages.narrowed(_of(statement, account_id, webhook_id), (dispatch.c.state, state))
    newest = pages.between(wanted, dispatch.c.id, None, before).order_by(dispatch.c.id.desc()).limit(limit)
    return [_dispatch_shape(row) for row in connection.execute(newest).mappings()]


def redeliver(
    connection: Connection,
    account_id: int | None,
    webhook_id: int,
    now: datetime,
    *,
    event_ids: Sequence[int] | None = None,
    since: datetime | None = None,
) -> int:
    """Queue again, under the same ids: the dead letters, or these events, or all that happened since.

    Those that the endpoint never was to have (of before it was made, or while it was disabled) come too, where they
    are named by id or time and concern its account. How many.
    """
    whose = [] if account_id is None else [webhook.c.account_id == account_id]
    endpoint = connection.execute(select(webhook).where(webhook.c.id == webhook_id, *whose)).mappings().first()
    if endpoint is None:
        return 0
    again = update(dispatch).where(dispatch.c.webhook_id == webhook_id, dispatch.c.state != "queued")
    again = again.values(_REQUEUED | {"due_at": now, "queued_at": now})
    if event_ids is None and since is None:
        return connection.execute(again.where(dispatch.c.state == "dead")).rowcount
    named = select(event.c.id, event.c.delivery_id).where(*_wanted(endpoint))
    if event_ids is not None:
        named = named.where(event.c.id.in_(event_ids))
    if since is not None:
        named = named.where(event.c.occurred_at >= since)
    chosen = named.subquery()
    count = connection.execute(again.where(dispatch.c.event_id.in_(select(chosen.c.id)))).rowcount
    return count + _queue_missed(connection, webhook_id, named, now)


def purge(connection: Connection, before: datetime) -> int:
    """Forget some of what was finished before; how many dispatches that were. Again, until there are none."""
    old = select(dispatch.c.id).where(dispatch.c.finished_at < before).limit(_PURGE)
    return connection.execute(delete(dispatch).where(dispatch.c.id.in_(old))).rowcount


_EVENT = (event.c.id.label("event"), event.c.type, event.c.sequence, event.c.delivery_id.label("delivery"))
_THIS = dispatch.c.id == bindparam("of", type_=Key)
_COUNT = update(dispatch).where(_THIS).values(tries=dispatch.c.tries + 1)
_FINISH = (
    update(dispatch)
    .where(_THIS)
    .values(state="delivered", finished_at=bindparam("at"), why=bindparam("said"), due_at=bindparam("due"))
)
_UNFINISHED = update(dispatch).where(_THIS, dispatch.c.state == "queued")
_BURY = _UNFINISHED.values(state="dead", finished_at=bindparam("at"), why=bindparam("said"), due_at=bindparam("due"))
_AGAIN = _UNFINISHED.values(due_at=bindparam("due"), why=bindparam("said"))


def _attempt(tried: Tried) -> dict[str, Any]:
    names = ("dispatch_id", "at", "milliseconds", "status", "error", "excerpt")
    return {name: getattr(tried, name) for name in names}


def _of(statement: Select[Any], account_id: int | None, webhook_id: int) -> Select[Any]:
    statement = statement.where(dispatch.c.webhook_id == webhook_id)
    if account_id is None:
        return statement
    own = select(webhook.c.id).where(webhook.c.account_id == account_id)
    return statement.where(dispatch.c.webhook_id.in_(own))


def _wanted(endpoint: RowMapping) -> Iterator[Any]:
    if endpoint["account_id"] is not None:
        yield event.c.account_id == endpoint["account_id"]
    if endpoint["events"]:
        yield event.c.type.in_(endpoint["events"])


def _queue_missed(connection: Connection, webhook_id: int, named: Select[Any], now: datetime) -> int:
    """Those that have no dispatch yet. They supersede nothing: who asks for them wants each."""
    known = select(dispatch.c.event_id).where(dispatch.c.webhook_id == webhook_id)
    values = {"webhook_id": webhook_id, "state": "queued", "supersedable": False, "tries": 0}
    fixed = [literal(value, dispatch.c[name].type) for name, value in values.items()]
    moments = [literal(now, dispatch.c[name].type) for name in ("due_at", "queued_at")]
    rows = named.where(event.c.id.not_in(known)).add_columns(*fixed, *moments)
    names = ["event_id", "delivery_id", *values, "due_at", "queued_at"]
    count: int = connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
    connection.execute(insert(dispatch).from_select(names, rows))
    return count


def _event_shape(row: RowMapping) -> dict[str, Any]:
    return {
        "id": row["id"],
        "event": events.name(row["event"]),
        "type": row["type"],
        "delivery": row["delivery"],
        "sequence": row["sequence"],
        "state": row["state"],
    }


def _tried_shape(row: RowMapping) -> dict[str, Any]:
    return {
        "id": row["id"],
        "at": moment(row["at"]),
        **_event_shape(row),
        "status": row["status"],
        "milliseconds": row["milliseconds"],
        "error": row["error"],
        "excerpt": row["excerpt"],
    }


def _dispatch_shape(row: RowMapping) -> dict[str, Any]:
    return {
        **_event_shape(row),
        "tries": row["tries"],
        "due_at": moment(row["due_at"]) if row["state"] == "queued" else None,
        "queued_at": moment(row["queued_at"]),
        "finished_at": moment(row["finished_at"]),
        "superseded_by": events.name(row["superseded_by"]) if row["superseded_by"] else None,
        "why": row["why"],
    }
