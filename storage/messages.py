"""What accounts sent: messages and their deliveries."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, select

from handlers.message import Delivery
from handlers.words import State
from storage import accounts, ledger, pages, shapes, waiting
from storage.columns import address_key
from storage.tables import account, delivery, delivery_state, message
from storage.upsert import Insert, insert, insert_new

KINDS = ("marketing", "one_to_one")
_LONGEST = 998  # octets of an id or a token: a line of RFC 5322 2.1.1
_LONGEST_RECIPIENT = 320
_CHUNK = 500  # both databases bound the number of parameters of a statement
SHOWN = select(
    *message.c,
    account.c.name.label("account"),
    select(func.count()).where(delivery.c.message_id == message.c.id).scalar_subquery().label("deliveries"),
).join_from(message, account, message.c.account_id == account.c.id)


def register(
    connection: Connection,
    account_name: str,
    recipients: Sequence[tuple[str, str | None]],
    *,
    message_id: str,
    envelope_id: str | None = None,
    subject: str | None = None,
    campaign: str | None = None,
    kind: str = "marketing",
    sent_at: datetime | None = None,
    fresh: bool = False,
) -> list[Delivery]:
    """A message with its recipients, each with its token (the return path's local part) or None.

    The deliveries come in the order of the recipients. What is registered already is not registered again; of
    the message, gaps are filled and nothing is replaced. Makes the account where it is missing. Raises ValueError
    for what cannot be, such as a token that another delivery has.

    Captures that wait for one of its ids or tokens are due to be matched again; with `fresh` the caller says that
    ids and tokens were made just now, so that nothing can name them yet.
    """
    if kind not in KINDS:
        raise ValueError(f"the kind of a message is {' or '.join(KINDS)}, not {kind!r}")
    check(message_id, envelope_id, recipients)
    account_id = accounts.ensure(connection, account_name).id
    row = {
        "account_id": account_id,
        "message_id": message_id,
        "envelope_id": envelope_id,
        "subject": subject,
        "campaign": campaign,
        "kind": kind,
        "sent_at": sent_at,
        "created_at": datetime.now(UTC),
    }
    made = _deliver(connection, _ensure(connection, row), account_id, recipients)
    if not fresh:
        tokens = (each.token for each in made if each.token)
        waiting.mark(connection, (message_id, *filter(None, [envelope_id]), *tokens))
    return made


def listing(connection: Connection, since: int | None = None) -> Iterator[dict[str, Any]]:
    """The messages behind this id as `messages --json` shows them, with how many of their deliveries stand how."""
    rows = pages.rows(connection, pages.between(SHOWN, message.c.id, since, None), message.c.id, page=_CHUNK)
    while page := list(islice(rows, _CHUNK)):
        states = _states(connection, [row["id"] for row in page])
        for row in page:
            heard = states.get(row["id"], {})
            silent = row["deliveries"] - sum(heard.values())
            yield {**shapes.message(row), "states": {State.SENT: silent, **heard} if silent else heard}


def _states(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Of each message, how many of its deliveries stand in each state that was heard of."""
    counted = (
        select(delivery.c.message_id, delivery_state.c.state, func.count())
        .join_from(delivery, delivery_state, delivery_state.c.delivery_id == delivery.c.id)
        .where(delivery.c.message_id.in_(ids))
        .group_by(delivery.c.message_id, delivery_state.c.state)
        .order_by(delivery_state.c.state)
    )
    found: dict[int, dict[str, int]] = {}
    for key, state, number in connection.execute(counted):
        found.setdefault(key, {})[state] = number
    return found


def _ensure(connection: Connection, row: dict[str, Any]) -> int:
    """The key of the message, made or with its gaps filled."""
    key: int = connection.execute(filling_gaps(connection).returning(message.c.id), row).scalar_one()
    return key


def filling_gaps(connection: Connection) -> Insert:
    """Registers a message; of one that is registered already, gaps are filled and nothing is replaced."""
    gaps = ("envelope_id", "subject", "campaign", "sent_at")
    new = insert(connection, message)
    filled = {name: func.coalesce(message.c[name], new.excluded[name]) for name in gaps}
    return new.on_conflict_do_update(index_elements=["account_id", "message_id"], set_=filled)


def _deliver(
    connection: Connection, key: int, account_id: int, recipients: Sequence[tuple[str, str | None]]
) -> list[Delivery]:
    wanted = [(recipient, token.lower() if token else None) for recipient, token in recipients]
    sent = {"message_id": key, "account_id": account_id}
    rows = [
        {**sent, "recipient": recipient, "recipient_key": address_key(recipient), "token": token}
        for recipient, token in wanted
    ]
    present: dict[tuple[str, str | None], Delivery] = {}
    for start in range(0, len(rows), _CHUNK):
        connection.execute(insert_new(connection, delivery), rows[start : start + _CHUNK])
        present.update(_present(connection, key, wanted[start : start + _CHUNK]))
    for recipient, token in wanted:
        if (recipient, token) not in present:
            raise ValueError(f"the token {token} of {recipient} belongs to another delivery")
    return [present[pair] for pair in wanted]


def _present(
    connection: Connection, key: int, wanted: Sequence[tuple[str, str | None]]
) -> dict[tuple[str, str | None], Delivery]:
    ours = ledger.DELIVERIES.where(delivery.c.message_id == key)
    tokens = {token for _, token in wanted if token}
    tokenless = {recipient for recipient, token in wanted if token is None}
    found = [
        *connection.execute(ours.where(delivery.c.token.in_(tokens))),
        *connection.execute(ours.where(delivery.c.token.is_(None), delivery.c.recipient.in_(tokenless))),
    ]
    deliveries = [ledger.read(row) for row in found]
    return {(each.recipient, each.token): each for each in deliveries}


def check(message_id: str, envelope_id: str | None, recipients: Sequence[tuple[str, str | None]]) -> None:
    """Raises ValueError for what no message can have."""
    _check_word("Message-ID", message_id, _LONGEST)
    if envelope_id is not None:
        _check_word("envelope id", envelope_id, _LONGEST)
    for recipient, token in recipients:
        _check_word("recipient", recipient, _LONGEST_RECIPIENT)
        if token is not None:
            _check_word("token", token, _LONGEST)


def _check_word(name: str, value: str, longest: int) -> None:
    """Visible characters and spaces only (an address may have a quoted local part), at most so many octets."""
    if not value.strip() or not value.isprintable() or len(value.encode()) > longest:
        raise ValueError(f"the {name} must be 1 to {longest} octets of printable text, not {value[:80]!r}")
