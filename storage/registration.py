"""Many messages with their recipients, registered in a few statements; asked again, it tells the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, tuple_

from handlers.message import Account
from storage import messages, waiting
from storage.columns import address_key
from storage.tables import delivery, message
from storage.upsert import insert_new

_CHUNK = 500  # both databases bound the number of parameters of a statement
_Place = tuple[int, str]  # key of the message, recipient


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient, and the token that it is sent with: a given one, one to be minted (""), or none."""

    address: str
    token: str | None = ""


@dataclass(frozen=True, slots=True)
class New:
    """A message to register."""

    message_id: str
    recipients: tuple[Recipient, ...]
    envelope_id: str | None = None
    subject: str | None = None
    campaign: str | None = None
    kind: str = "marketing"
    sent_at: datetime | None = None
    fresh: bool = False  # its ids were made just now, so that no capture names them yet


@dataclass(frozen=True, slots=True)
class Registered:
    """A delivery that is registered."""

    id: int
    message_id: str
    envelope_id: str | None
    recipient: str
    token: str | None


def register(
    connection: Connection, account: Account, new: Sequence[New], mint: Callable[[str], str], now: datetime
) -> list[Registered]:
    """The deliveries in the order of the messages and their recipients.

    A recipient that the message has already keeps its token, so the same request twice registers nothing twice.
    `mint` makes the token for an address. Captures that wait for what is not fresh are due to be matched again.
    Raises ValueError for what cannot be, such as another delivery's token.
    """
    for each in new:
        messages.check(each.message_id, each.envelope_id, [(one.address, one.token or None) for one in each.recipients])
    stored = _messages(connection, account, new, now)
    wanted = [(stored[each.message_id], recipient) for each in new for recipient in each.recipients]
    places = list(dict.fromkeys((of.id, recipient.address) for of, recipient in wanted))
    known = _known(connection, places)
    missing = [
        (of.id, recipient)
        for of, recipient in dict.fromkeys(wanted)
        if _chosen(known.get((of.id, recipient.address), ()), recipient) is None
    ]
    if missing:
        _insert(connection, account, missing, mint)
        known = _known(connection, places)
    waiting.mark(connection, _named(new))
    return [_registered(of, recipient, known.get((of.id, recipient.address), ())) for of, recipient in wanted]


def _named(new: Sequence[New]) -> Iterator[str]:
    """What captures that came before may name."""
    for each in new:
        if not each.fresh:
            yield from filter(None, (each.message_id, each.envelope_id))
        yield from (one.token.lower() for one in each.recipients if one.token)


@dataclass(frozen=True, slots=True)
class _Stored:
    id: int
    message_id: str
    envelope_id: str | None


def _messages(connection: Connection, account: Account, new: Sequence[New], now: datetime) -> dict[str, _Stored]:
    rows: dict[str, dict[str, Any]] = {}
    for each in new:  # of one message said twice, the first counts
        row = {
            "account_id": account.id,
            "message_id": each.message_id,
            "envelope_id": each.envelope_id,
            "subject": each.subject,
            "campaign": each.campaign,
            "kind": each.kind,
            "sent_at": each.sent_at,
            "created_at": now,
        }
        rows.setdefault(each.message_id, row)
    # in one order: two requests at once must not wait for each other's rows
    connection.execute(messages.filling_gaps(connection), sorted(rows.values(), key=lambda row: str(row["message_id"])))
    found: dict[str, _Stored] = {}
    own = select(message.c.id, message.c.message_id, message.c.envelope_id).where(message.c.account_id == account.id)
    for chunk in _chunks(list(rows)):
        for row_ in connection.execute(own.where(message.c.message_id.in_(chunk))):
            found[row_.message_id] = _Stored(*row_)
    return found


def _known(connection: Connection, places: Sequence[_Place]) -> dict[_Place, list[tuple[int, str | None]]]:
    """The deliveries (id, token) of each recipient of a message, the oldest first."""
    found: dict[_Place, list[tuple[int, str | None]]] = {}
    place = tuple_(delivery.c.message_id, delivery.c.recipient_key)
    statement = select(delivery.c.message_id, delivery.c.recipient, delivery.c.id, delivery.c.token)
    for chunk in _chunks(places):
        keys = list(dict.fromkeys((key, address_key(address)) for key, address in chunk))
        rows = connection.execute(statement.where(place.in_(keys)).order_by(delivery.c.id))
        for of, recipient, key, token in rows:
            pairs = found.setdefault((of, recipient), [])
            if (key, token) not in pairs:
                pairs.append((key, token))
    return found


def _chosen(known: Sequence[tuple[int, str | None]], wanted: Recipient) -> tuple[int, str | None] | None:
    """Of the deliveries of a recipient the one that was asked for."""
    if wanted.token == "":
        return next((each for each in known if each[1] is not None), None)
    token = wanted.token and wanted.token.lower()
    return next((each for each in known if each[1] == token), None)


def _insert(
    connection: Connection, account: Account, missing: Sequence[tuple[int, Recipient]], mint: Callable[[str], str]
) -> None:
    rows = [
        {
            "message_id": key,
            "account_id": account.id,
            "recipient": each.address,
            "recipient_key": address_key(each.address),
            "token": mint(each.address) if each.token == "" else each.token and each.token.lower(),
        }
        for key, each in missing
    ]
    connection.execute(insert_new(connection, delivery), rows)


def _registered(of: _Stored, wanted: Recipient, known: Sequence[tuple[int, str | None]]) -> Registered:
    chosen = _chosen(known, wanted)
    if chosen is None:
        raise ValueError(f"the token {wanted.token} of {wanted.address} belongs to another delivery")
    key, token = chosen
    return Registered(key, of.message_id, of.envelope_id, wanted.address, token)


def _chunks(values: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield list(values[start : start + _CHUNK])
