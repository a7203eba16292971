"""Who of a message's recipients may get it again: those whose bounce was soft, and who may still be mailed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from storage import pages
from storage.checking import check
from storage.shapes import moment
from storage.tables import account, delivery, delivery_state, message

_PAGE = 500


def contacts(connection: Connection, message_key: int, now: datetime) -> Iterator[dict[str, Any]]:
    """A row for each delivery of the message (its key) that is soft now; one whose silence was assumed says so."""
    statement = (
        select(
            delivery.c.id,
            delivery.c.recipient,
            message.c.message_id,
            message.c.account_id,
            *(delivery_state.c[name] for name in ("category", "reason", "resolution", "since")),
        )
        .join_from(delivery_state, delivery, delivery_state.c.delivery_id == delivery.c.id)
        .join(message, message.c.id == delivery.c.message_id)
        .where(delivery.c.message_id == message_key, delivery_state.c.state == "soft")
    )
    page: list[Any] = []
    for row in pages.rows(connection, statement, delivery.c.id, page=_PAGE):
        page.append(row)
        if len(page) == _PAGE:
            yield from _eligible(connection, page, now)
            page = []
    yield from _eligible(connection, page, now)


def keys(connection: Connection, message_id: str, account_name: str = "") -> list[int]:
    """The messages with this Message-ID, of one account or of all."""
    statement = select(message.c.id).join_from(message, account).where(message.c.message_id == message_id)
    if account_name:
        statement = statement.where(account.c.name == account_name)
    return list(connection.execute(statement).scalars())


def _eligible(connection: Connection, rows: list[Any], now: datetime) -> Iterator[dict[str, Any]]:
    if not rows:
        return
    found = check(connection, rows[0]["account_id"], [row["recipient"] for row in rows], now)
    for row in rows:
        against = found.get(row["recipient"])
        if against is None or against.eligible:
            yield {
                "address": row["recipient"],
                "message_id": row["message_id"],
                "category": row["category"],
                "reason": row["reason"],
                "resolution": row["resolution"],
                "since": moment(row["since"]),
            }
