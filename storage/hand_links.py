"""What a person said a capture is about: who, when and why. It proves nothing, so nothing follows from it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, select, update

from storage import shapes
from storage.tables import account, capture, delivery, hand_link, message
from storage.upsert import insert_new

STANDING = (
    select(hand_link.c.id)
    .where(hand_link.c.capture_id == capture.c.id, hand_link.c.undone_at.is_(None))
    .correlate(capture)
    .scalar_subquery()
)
_SHOWN: Select[Any] = (
    select(
        *hand_link.c,
        delivery.c.recipient,
        message.c.message_id,
        message.c.subject,
        message.c.campaign,
        account.c.name.label("account"),
    )
    .join_from(hand_link, delivery, hand_link.c.delivery_id == delivery.c.id)
    .join(message, delivery.c.message_id == message.c.id)
    .join(account, message.c.account_id == account.c.id)
)


def link(connection: Connection, capture_id: int, delivery_id: int, who: str, why: str) -> bool:
    """Say that this capture is about this delivery. False where somebody has said so of a delivery already."""
    row = {
        "capture_id": capture_id,
        "delivery_id": delivery_id,
        "who": who,
        "why": why,
        "linked_at": datetime.now(UTC),
        "undone_at": None,
        "undone_by": None,
        "undone_why": None,
    }
    statement = insert_new(connection, hand_link).returning(hand_link.c.id)
    return connection.execute(statement, row).first() is not None


def unlink(connection: Connection, capture_id: int, who: str, why: str) -> bool:
    """Take it back; that it was said stays in history(). False where nobody had said it."""
    standing = update(hand_link).where(hand_link.c.capture_id == capture_id, hand_link.c.undone_at.is_(None))
    taken = {"undone_at": datetime.now(UTC), "undone_by": who, "undone_why": why}
    return connection.execute(standing.values(taken)).rowcount > 0


def of(connection: Connection, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Those with these keys, as `captures --json` has them in linked_by_hand; a page of them."""
    if not keys:
        return {}
    rows = connection.execute(_SHOWN.where(hand_link.c.id.in_(keys))).mappings()
    return {row["id"]: shapes.hand_link(row) for row in rows}


def history(connection: Connection, capture_id: int) -> list[dict[str, Any]]:
    """All that was said of a capture, the oldest first, with `undone`: null, or who, when and why."""
    rows = connection.execute(_SHOWN.where(hand_link.c.capture_id == capture_id).order_by(hand_link.c.id)).mappings()
    return [shapes.hand_link(row) | {"undone": shapes.undone(row)} for row in rows]
