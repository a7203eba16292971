"""What stored captures say of deliveries: the bounces with what was heard in them, and arrivals."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, Subquery, delete, func, select

from handlers.bounce import Verdict
from handlers.message import Delivery
from handlers.outcome import Outcome
from handlers.report import RecipientStatus
from handlers.states import Heard, Word
from handlers.words import BounceType, Category, Reason
from storage import batch
from storage.tables import arrival, bounce, capture
from storage.upsert import insert_new


def insert(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Store which deliveries captures say arrived."""
    rows = [
        {"capture_id": outcome.mail.position, "delivery_id": each.id}
        for outcome in outcomes
        for each in outcome.delivered
    ]
    batch.write(connection, insert_new(connection, arrival), rows)


def arrivals(connection: Connection, captures: Collection[int]) -> dict[int, tuple[int, ...]]:
    """The deliveries that each of these captures says arrived."""
    found: dict[int, tuple[int, ...]] = {}
    rows = connection.execute(select(arrival).where(arrival.c.capture_id.in_(captures)).order_by(arrival.c.delivery_id))
    for row in rows.mappings():
        found[row["capture_id"]] = (*found.get(row["capture_id"], ()), row["delivery_id"])
    return found


def replace(connection: Connection, key: int, deliveries: Collection[int]) -> None:
    """The capture says now that these arrived."""
    connection.execute(delete(arrival).where(arrival.c.capture_id == key))
    if deliveries:
        rows = [{"capture_id": key, "delivery_id": each} for each in deliveries]
        connection.execute(insert_new(connection, arrival), rows)


def of(connection: Connection, deliveries: Mapping[int, Delivery]) -> Iterator[Heard]:
    """What counts of each: of every word the first report, and there are few words, however many reports."""
    first = _first(deliveries)
    for row in connection.execute(select(first).where(first.c.place == 1)).mappings():
        yield _heard(row, deliveries[row["delivery_id"]])
    order = (capture.c.received_at, capture.c.id)
    place = func.row_number().over(partition_by=arrival.c.delivery_id, order_by=order).label("place")
    arrived = (
        select(*arrival.c, capture.c.received_at, place)
        .join_from(arrival, capture, arrival.c.capture_id == capture.c.id)
        .where(arrival.c.delivery_id.in_(deliveries))
        .subquery()
    )
    for row in connection.execute(select(arrived).where(arrived.c.place == 1)).mappings():
        yield Heard(deliveries[row["delivery_id"]], Word.DELIVERED, row["received_at"], row["capture_id"])


def _first(deliveries: Collection[int]) -> Subquery:
    """Bounces, numbered within delivery and word in the order in which they count (handlers.states.step)."""
    order = (capture.c.received_at, bounce.c.type, bounce.c.category, bounce.c.reason, capture.c.id)
    partition = (bounce.c.delivery_id, bounce.c.heard)
    return (
        select(
            *bounce.c,
            capture.c.received_at,
            func.row_number().over(partition_by=partition, order_by=order).label("place"),
        )
        .join_from(bounce, capture, bounce.c.capture_id == capture.c.id)
        .where(bounce.c.delivery_id.in_(deliveries), bounce.c.heard.is_not(None))
        .subquery()
    )


def _heard(row: RowMapping, ours: Delivery) -> Heard:
    verdict = Verdict(Reason(row["reason"]), BounceType(row["type"]), Category(row["category"]), row["rule"])
    recipient = RecipientStatus(
        row["address"], status=row["status"], smtp_code=row["smtp_code"], diagnostic_code=row["diagnostic"]
    )
    return Heard(ours, Word(row["heard"]), row["received_at"], row["capture_id"], verdict, recipient)
