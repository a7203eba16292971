"""Deliveries that a notice may be about, because it states their recipient. Hints, never proof, even a single one."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from storage import shapes
from storage.columns import address_key
from storage.tables import account, delivery, message

DAYS = 14  # before the notice: no queue keeps a mail for longer
SHOWN = 10
COUNTED = 100
_SENT_AT = func.coalesce(message.c.sent_at, message.c.created_at)
_STATED = (
    select(
        delivery.c.id.label("delivery"),
        delivery.c.recipient,
        account.c.name.label("account"),
        message.c.message_id,
        message.c.subject,
        message.c.campaign,
        _SENT_AT.label("sent_at"),
    )
    .join_from(delivery, message, delivery.c.message_id == message.c.id)
    .join(account, message.c.account_id == account.c.id)
    .where(
        delivery.c.recipient_key.in_(bindparam("stated", expanding=True)),
        _SENT_AT.between(
            bindparam("since", type_=message.c.created_at.type), bindparam("before", type_=message.c.created_at.type)
        ),
    )
    .order_by(_SENT_AT.desc(), delivery.c.id.desc())
    .limit(COUNTED)
)


def of(connection: Connection, stated: Collection[str], received_at: datetime) -> dict[str, Any]:
    """JSON-ready: how many there were in the days before, up to COUNTED, and the newest of them.

    A message that was sent at an unknown time counts from when it was registered.
    """
    if not stated:
        return {"candidate_count": 0, "candidates": []}
    keys = sorted(set(map(address_key, stated)))
    asked = {"stated": keys, "since": received_at - timedelta(days=DAYS), "before": received_at}
    rows = connection.execute(_STATED, asked).mappings().all()
    shown = [{**row, "sent_at": shapes.moment(row["sent_at"])} for row in rows[:SHOWN]]
    return {"candidate_count": len(rows), "candidates": shown}
