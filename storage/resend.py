"""Who of a message's recipients may get it again: those whose bounce was soft, and who may still be mailed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from storage.checking import check
from storage.shapes import moment
from storage.tables import account, delivery, delivery_state, message

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Some of them; `last` is the delivery behind which the next page begins."""

    contacts: list[dict[str, Any]]
    last: int
    more: bool


def contacts(connection: Connection, message_key: int, now: datetime) -> Iterator[dict[str, Any]]:
    """A row for each delivery of the message (its key) that is soft now; one whose silence was assumed says so."""
    last, more = 0, True
    while more:
        found = page(connection, message_key, now, last)
        yield from found.contacts
        last, more = found.last, found.more


def page(connection: Connection, message_key: int, now: datetime, after: int = 0, most: int = _PAGE) -> Page:
    """Of the next so many deliveries that are soft behind this one, those that may be mailed."""
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
        .where(delivery.c.message_id == message_key, delivery_state.c.state == "soft", delivery.c.id > after)
        .order_by(delivery.c.id)
        .limit(most + 1)
    )
    rows = connection.execute(statement).mappings().all()
    of_page = rows[:most]
    last = of_page[-1]["id"] if of_page else after
    return Page(list(_eligible(connection, of_page, now)), last, len(rows) > most)


def keys(connection: Connection, message_id: str, account_name: str = "") -> list[int]:
    """The messages with this Message-ID, of one account or of all."""
    statement = select(message.c.id).join_from(message, account).where(message.c.message_id == message_id)
    if account_name:
        statement = statement.where(account.c.name == account_name)
    return list(connection.execute(statement).scalars())


def _eligible(connection: Connection, rows: Sequence[Any], now: datetime) -> Iterator[dict[str, Any]]:
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
