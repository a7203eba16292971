"""What is to be sent to which endpoint: filled from the outbox by one sender, whose position is stored with it.

The worker knows nothing of this: where nobody listens, an event costs only its row in the outbox. A dispatch stays
queued until an answer is stored, so whatever is killed when, it is sent again: at least once.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, exists, or_, select, update

from handlers.events import EventType
from storage import events, forgetting, positions
from storage.columns import Key
from storage.tables import event
from storage.upsert import insert_new
from storage.webhook_tables import dispatch, webhook
from storage.webhooks import live

CONSUMER = "webhooks"
# one state of a delivery takes the place of another; what else happens to it does not
SUPERSEDING = frozenset(
    {EventType.BOUNCE_PENDING, EventType.BOUNCE_SOFT, EventType.BOUNCE_HARD, EventType.BOUNCE_CLEARED}
)


@dataclass(frozen=True, slots=True)
class Due:
    """A dispatch to be tried now."""

    id: int
    webhook_id: int
    delivery_id: int | None
    tries: int
    queued_at: datetime
    url: str
    secrets: tuple[str, ...]
    name: str  # of the event
    content: dict[str, Any]  # what its receiver reads


@dataclass(frozen=True, slots=True)
class Busy:
    """What is under way at one endpoint: dispatches, and their deliveries."""

    dispatches: Collection[int] = ()
    deliveries: Collection[int] = ()


def has_news(connection: Connection) -> bool:
    """Whether fan_out() has something to do."""
    start = _start(connection, _listening(connection))
    return start is not None and forgetting.last(connection) > start


def fan_out(connection: Connection, now: datetime, limit: int = 500) -> int:
    """Queue the next events of the outbox for whoever wants them; how many events were read."""
    listening = _listening(connection)
    start = _start(connection, listening)
    if start is None:
        return 0
    columns = (event.c.id, event.c.account_id, event.c.delivery_id, event.c.sequence, event.c.type)
    found = connection.execute(select(*columns).where(event.c.id > start).order_by(event.c.id).limit(limit)).mappings()
    rows = found.all()
    wanted = [(each, row) for row in rows for each in listening if _wants(each, row)]
    if wanted:
        connection.execute(insert_new(connection, dispatch), [_row(each["id"], row, now) for each, row in wanted])
        _supersede(connection, wanted, now)
    if rows:
        positions.put(connection, CONSUMER, rows[-1]["id"])
    return len(rows)


def ready(connection: Connection, now: datetime) -> list[RowMapping]:
    """The endpoints with something to send now; a broken one only when its probe is due."""
    queued = (dispatch.c.webhook_id == webhook.c.id) & (dispatch.c.state == "queued")
    has_due = exists().where(queued & (dispatch.c.due_at <= now))
    statement = select(webhook).where(
        or_(
            (webhook.c.state == "enabled") & has_due,
            (webhook.c.state == "broken") & (webhook.c.probe_at <= now) & exists().where(queued),
        )
    )
    return list(connection.execute(statement).mappings())


def pick(connection: Connection, endpoint: RowMapping, now: datetime, free: int, busy: Busy) -> list[Due]:
    """The next dispatches of an endpoint that ready() gave; one, due or not, where it probes.

    Never two of one delivery at once, and none before an older one of its delivery.
    """
    older = dispatch.alias("older")
    waits = exists().where(
        older.c.webhook_id == dispatch.c.webhook_id,
        older.c.delivery_id == dispatch.c.delivery_id,
        older.c.event_id < dispatch.c.event_id,
        older.c.state == "queued",
    )
    statement = (
        select(*(dispatch.c[name] for name in ("id", "delivery_id", "tries", "queued_at", "event_id")))
        .where(dispatch.c.webhook_id == endpoint["id"], dispatch.c.state == "queued", ~waits)
        .where(dispatch.c.id.not_in(busy.dispatches))
        .where(or_(dispatch.c.delivery_id.is_(None), dispatch.c.delivery_id.not_in(busy.deliveries)))
        .order_by(dispatch.c.due_at, dispatch.c.event_id)
        .limit(1 if endpoint["state"] == "broken" else free)
    )
    if endpoint["state"] != "broken":
        statement = statement.where(dispatch.c.due_at <= now)
    rows = connection.execute(statement).mappings().all()
    contents = _contents(connection, endpoint["id"], [row["event_id"] for row in rows])
    return [_due(endpoint, row, contents[row["event_id"]], now) for row in rows if row["event_id"] in contents]


def _listening(connection: Connection) -> Sequence[RowMapping]:
    return connection.execute(select(webhook).where(webhook.c.state != "disabled")).mappings().all()


def _start(connection: Connection, listening: Sequence[RowMapping]) -> int | None:
    """Behind which event the sender goes on; None where nobody listens."""
    if not listening:
        return None
    after: list[int] = [each["after_event"] for each in listening]
    return max(positions.get(connection, CONSUMER) or 0, min(after))


def _wants(endpoint: RowMapping, row: RowMapping) -> bool:
    """An endpoint of an account is told what concerns that account, one of the operator everything."""
    return (
        row["id"] > endpoint["after_event"]
        and endpoint["account_id"] in (None, row["account_id"])
        and (not endpoint["events"] or row["type"] in endpoint["events"])
    )


def _row(webhook_id: int, row: RowMapping, now: datetime) -> dict[str, Any]:
    return {
        "webhook_id": webhook_id,
        "event_id": row["id"],
        "delivery_id": row["delivery_id"],
        "state": "queued",
        "supersedable": row["type"] in SUPERSEDING,
        "superseded_by": None,
        "tries": 0,
        "due_at": now,
        "queued_at": now,
        "finished_at": None,
        "why": None,
    }


_SUPERSEDE = (
    update(dispatch)
    .where(
        dispatch.c.webhook_id == bindparam("of_webhook"),
        dispatch.c.delivery_id == bindparam("of_delivery", type_=Key),
        dispatch.c.event_id < bindparam("by", type_=Key),
        dispatch.c.state == "queued",
        dispatch.c.supersedable,
    )
    .values(state="superseded", superseded_by=bindparam("by", type_=Key), finished_at=bindparam("at"))
)
_middle = dispatch.alias("middle")
# what a superseded event had superseded itself is told by the newest one
_INHERIT = (
    update(dispatch)
    .where(
        dispatch.c.webhook_id == bindparam("of_webhook"),
        dispatch.c.superseded_by.in_(
            select(_middle.c.event_id).where(
                _middle.c.webhook_id == bindparam("of_webhook"), _middle.c.superseded_by == bindparam("by", type_=Key)
            )
        ),
    )
    .values(superseded_by=bindparam("by", type_=Key))
)


def _supersede(connection: Connection, wanted: Iterable[tuple[RowMapping, RowMapping]], now: datetime) -> None:
    """Queued states of a delivery that has a newer one now."""
    newest: dict[tuple[int, int], int] = {}
    for endpoint, row in wanted:
        if row["type"] in SUPERSEDING and row["delivery_id"] is not None and row["sequence"] > 1:
            newest[endpoint["id"], row["delivery_id"]] = row["id"]
    if newest:
        values = [
            {"of_webhook": key[0], "of_delivery": key[1], "by": event_id, "at": now} for key, event_id in newest.items()
        ]
        connection.execute(_SUPERSEDE, values)
        connection.execute(_INHERIT, [{"of_webhook": each["of_webhook"], "by": each["by"]} for each in values])


def _contents(connection: Connection, webhook_id: int, event_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What the receiver reads of each event: its shape, and what it supersedes."""
    if not event_ids:
        return {}
    rows = connection.execute(events.SHOWN.where(event.c.id.in_(event_ids))).mappings()
    contents = {row["id"]: {**events.shape(row), "superseded": []} for row in rows}
    statement = (
        select(dispatch.c.superseded_by, event.c.id, event.c.type, event.c.sequence)
        .join_from(dispatch, event, dispatch.c.event_id == event.c.id)
        .where(dispatch.c.webhook_id == webhook_id, dispatch.c.superseded_by.in_(event_ids))
        .order_by(event.c.id)
    )
    for by, event_id, type_, sequence in connection.execute(statement):
        contents[by]["superseded"].append({"id": events.name(event_id), "type": type_, "sequence": sequence})
    return contents


def _due(endpoint: RowMapping, row: RowMapping, content: dict[str, Any], now: datetime) -> Due:
    return Due(
        row["id"],
        endpoint["id"],
        row["delivery_id"],
        row["tries"],
        row["queued_at"],
        endpoint["url"],
        tuple(live(endpoint["secrets"], now)),
        content["id"],
        content,
    )
