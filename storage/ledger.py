"""What was sent, as match reads it: handlers.ports.Ledger over a connection."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, select

from handlers.message import Account, Delivery, Message
from storage.columns import address_key
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
# a capture names what it likes, so each of these bounds what it can cost
_MOST_MESSAGES = 100  # of one id, the newest: several accounts may use it, or a sender gives one to many
_MOST_STATED = 1000  # addresses of one report
_MOST_DELIVERIES = 1000  # one recipient may have many tokens of one message
_LARGEST_KEY = 2**63 - 1
_LARGEST_ID = 2**31 - 1  # PostgreSQL raises where a number does not fit the column


def _of(column: Column[Any]) -> tuple[Select[Any], Select[Any]]:
    """The deliveries of the messages with this id to stated recipients, and any two of them.

    In no order: to put them in one, a database would look at all of them, or at all of the table.
    """
    messages = select(message.c.id).where(column == bindparam("value")).order_by(message.c.id.desc())
    found = DELIVERIES.where(delivery.c.message_id.in_(messages.limit(_MOST_MESSAGES).scalar_subquery()))
    stated = found.where(delivery.c.recipient_key.in_(bindparam("keys", expanding=True)))
    return stated.limit(_MOST_DELIVERIES), found.limit(2)


_BY_NUMBER = DELIVERIES.where(delivery.c.id == bindparam("number"))
_BY_TOKEN = DELIVERIES.where(delivery.c.token == bindparam("token"))
_BY_TOKENS = DELIVERIES.where(delivery.c.token.in_(bindparam("tokens", expanding=True)))
_MOST_TOKENS = 500  # of one statement
_BY_ENVELOPE_ID = _of(message.c.envelope_id)
_BY_MESSAGE_ID = _of(message.c.message_id)
_ACCOUNT = select(account.c.id, account.c.name).where(account.c.id == bindparam("account_id"))


class Ledger:
    """Reads inside the transaction that will store the outcome."""

    def __init__(self, connection: Connection, expected: Iterable[str] = ()) -> None:
        """`expected`: tokens that by_token() may be asked for; all of them cost one query."""
        self._connection = connection
        self._expected = dict[str, Delivery | None].fromkeys(expected)
        tokens = list(self._expected)
        for start in range(0, len(tokens), _MOST_TOKENS):
            for row in connection.execute(_BY_TOKENS, {"tokens": tokens[start : start + _MOST_TOKENS]}):
                found = read(row)
                self._expected[found.token or ""] = found

    def by_number(self, number: int) -> Delivery | None:
        """The delivery with this key."""
        if not 0 <= number <= _LARGEST_KEY:
            return None
        row = self._connection.execute(_BY_NUMBER, {"number": number}).first()
        return read(row) if row else None

    def by_token(self, token: str) -> Delivery | None:
        """The delivery whose return path has this local part (lower case)."""
        if token in self._expected:
            return self._expected[token]
        row = self._connection.execute(_BY_TOKEN, {"token": token}).first()
        return read(row) if row else None

    def by_envelope_id(self, envelope_id: str, stated: Collection[str]) -> tuple[Delivery, ...]:
        """The deliveries of the messages with this envelope id to the stated recipients, else at most two others."""
        return self._deliveries(_BY_ENVELOPE_ID, envelope_id, stated)

    def by_message_id(self, message_id: str, stated: Collection[str]) -> tuple[Delivery, ...]:
        """The same for the messages with this Message-ID (angle brackets included)."""
        return self._deliveries(_BY_MESSAGE_ID, message_id, stated)

    def account(self, account_id: int) -> Account | None:
        """The account that a token names."""
        if not 0 <= account_id <= _LARGEST_ID:
            return None
        row = self._connection.execute(_ACCOUNT, {"account_id": account_id}).first()
        return Account(*row) if row else None

    def _deliveries(
        self, by_id: tuple[Select[Any], Select[Any]], value: str, stated: Collection[str]
    ) -> tuple[Delivery, ...]:
        of_stated, any_two = by_id
        keys = list(dict.fromkeys(map(address_key, stated)))[:_MOST_STATED]
        rows = self._connection.execute(of_stated, {"value": value, "keys": keys}).all() if keys else ()
        found = [read(row) for row in rows or self._connection.execute(any_two, {"value": value})]
        return tuple(sorted(found, key=lambda each: each.id))


def read(row: Sequence[Any]) -> Delivery:
    """A row of DELIVERIES as a value."""
    key, recipient, token, account_id, name, *sent = row
    return Delivery(key, recipient, token, Message(Account(account_id, name), *sent))
