"""What was sent, as match reads it: handlers.ports.Ledger over a connection."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from handlers.message import Account, Delivery, Message
from storage.tables import account, delivery, message

DELIVERIES = (
    select(
        delivery.c.id,
        delivery.c.recipient,
        delivery.c.token,
        account.c.id,
        account.c.name,
        message.c.message_id,
        message.c.envelope_id,
        message.c.subject,
        message.c.campaign,
        message.c.kind,
        message.c.sent_at,
    )
    .join_from(delivery, message, delivery.c.message_id == message.c.id)
    .join(account, message.c.account_id == account.c.id)
)
_BY_TOKEN = DELIVERIES.where(delivery.c.token == bindparam("token"))
_BY_ENVELOPE_ID = DELIVERIES.where(message.c.envelope_id == bindparam("envelope_id")).order_by(delivery.c.id)
_BY_MESSAGE_ID = DELIVERIES.where(message.c.message_id == bindparam("message_id")).order_by(delivery.c.id)
_ACCOUNT = select(account.c.id, account.c.name).where(account.c.id == bindparam("account_id"))
_LARGEST_ID = 2**31 - 1  # PostgreSQL raises where a number does not fit the column


class Ledger:
    """Reads inside the transaction that will store the outcome."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_token(self, token: str) -> Delivery | None:
        """The delivery whose return path has this local part (lower case)."""
        row = self._connection.execute(_BY_TOKEN, {"token": token}).first()
        return read(row) if row else None

    def by_envelope_id(self, envelope_id: str) -> tuple[Delivery, ...]:
        """Every delivery of the messages with this envelope id."""
        rows = self._connection.execute(_BY_ENVELOPE_ID, {"envelope_id": envelope_id})
        return tuple(read(row) for row in rows)

    def by_message_id(self, message_id: str) -> tuple[Delivery, ...]:
        """Every delivery of the messages with this Message-ID (angle brackets included)."""
        rows = self._connection.execute(_BY_MESSAGE_ID, {"message_id": message_id})
        return tuple(read(row) for row in rows)

    def account(self, account_id: int) -> Account | None:
        """The account that a token names."""
        if not 0 <= account_id <= _LARGEST_ID:
            return None
        row = self._connection.execute(_ACCOUNT, {"account_id": account_id}).first()
        return Account(*row) if row else None


def read(row: Sequence[Any]) -> Delivery:
    """A row of DELIVERIES as a value."""
    key, recipient, token, account_id, name, *sent = row
    return Delivery(key, recipient, token, Message(Account(account_id, name), *sent))
