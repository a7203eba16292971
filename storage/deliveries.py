"""Deliveries as the API shows them: each recipient of each message, and how it stands."""

from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from handlers.words import State
from storage.shapes import moment
from storage.tables import account, delivery, delivery_state, message, state_change

SHOWN: Select[Any] = (
    select(
        *delivery.c,
        account.c.name.label("account"),
        message.c.message_id.label("original_message_id"),
        message.c.campaign,
        message.c.kind,
        *(column for column in delivery_state.c if column.name != "delivery_id"),
    )
    .join_from(delivery, message, delivery.c.message_id == message.c.id)
    .join(account, message.c.account_id == account.c.id)
    .join(delivery_state, delivery_state.c.delivery_id == delivery.c.id, isouter=True)
)


def shape(row: RowMapping, domain: str) -> dict[str, Any]:
    """A delivery; `message` is the id of its message, `domain` that of the return paths."""
    return {
        "id": row["id"],
        "account": row["account"],
        "message": row["message_id"],
        "message_id": row["original_message_id"],
        "campaign": row["campaign"],
        "kind": row["kind"],
        "recipient": row["recipient"],
        "return_path": f"{row['token']}@{domain}" if row["token"] else None,
        "state": row["state"] or State.SENT,
        "resolution": row["resolution"],
        "type": row["type"],
        "category": row["category"],
        "reason": row["reason"],
        "since": moment(row["since"]),
        "pending_since": moment(row["pending_since"]),
        "delivered_at": moment(row["delivered_at"]),
        "capture": row["capture_id"],
    }


def revisions(connection: Connection, delivery_id: int) -> list[dict[str, Any]]:
    """Every change of its state, the first one first, with its cause."""
    statement = select(*state_change.c).where(state_change.c.delivery_id == delivery_id).order_by(state_change.c.id)
    return [
        {
            "from": row["from_state"],
            "to": row["to_state"],
            "resolution": row["resolution"],
            "type": row["type"],
            "category": row["category"],
            "reason": row["reason"],
            "cause": row["cause"],
            "capture": row["capture_id"],
            "at": moment(row["at"]),
        }
        for row in connection.execute(statement).mappings()
    ]
