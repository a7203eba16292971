"""All that is known of an address in an account: what was sent to it, what came back, and what followed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, or_, select, union

from handlers.message import Account
from handlers.words import BounceType, Category
from storage import checking
from storage.columns import address_key
from storage.shapes import moment
from storage.tables import (
    account,
    bounce,
    capture,
    delivery,
    delivery_state,
    message,
    state_change,
    suppression,
    suppression_change,
)

Entry = dict[str, Any]
MOST = 500  # of each kind of entry, the newest; an address that is mailed daily has more
_ORDER = ("sent", "capture", "bounce", "state", "suppression")  # of what happened at one moment


@dataclass(frozen=True, slots=True)
class Contact:
    """An address, as an account sees it."""

    address: str
    account: Account
    last_hard_bounce_reason: Category | None  # of the account's own bounces: a global suppression sets none
    suppression: checking.Found | None  # what stands against it, or stood
    timeline: tuple[Entry, ...]  # oldest first

    def shape(self) -> dict[str, Any]:
        """As `contact --json` and the API show it."""
        return {
            "address": self.address,
            "account": self.account.name,
            "eligible": self.suppression is None or self.suppression.eligible,
            "last_hard_bounce_reason": self.last_hard_bounce_reason,
            "suppression": self.suppression and self.suppression.shape(),
            "timeline": list(self.timeline),
        }


def contact(connection: Connection, address: str, whose: Account) -> Contact:
    """The contact; without a timeline where the account knows nothing of it."""
    key = address_key(address)
    found = [
        *_sent(connection, key, whose.id),
        *_captures(connection, key, whose.id),
        *_bounces(connection, key, whose.id),
        *_states(connection, key, whose.id),
        *_suppressions(connection, key, whose.id),
    ]
    found.sort(key=lambda entry: (entry["at"], _ORDER.index(entry["what"])))
    standing = checking.check(connection, whose.id, [address]).get(address)
    return Contact(address, whose, _last_hard_reason(connection, key, whose.id), standing, tuple(found))


def knowing(connection: Connection, address: str) -> list[Account]:
    """The accounts that have mailed the address, had a bounce of it, or suppressed it; by name."""
    key = address_key(address)
    ids = union(
        select(message.c.account_id)
        .join_from(delivery, message, delivery.c.message_id == message.c.id)
        .where(delivery.c.recipient_key == key),
        select(bounce.c.account_id).where(bounce.c.address_key == key),
        select(suppression.c.account_id).where(suppression.c.address == key, suppression.c.account_id.is_not(None)),
    )
    rows = connection.execute(
        select(account.c.id, account.c.name).where(account.c.id.in_(ids)).order_by(account.c.name)
    )
    return [Account(*row) for row in rows]


def _deliveries(key: str, account_id: int) -> Select[Any]:
    """What the account sent to the address."""
    return (
        select(delivery.c.id)
        .join_from(delivery, message, delivery.c.message_id == message.c.id)
        .where(delivery.c.recipient_key == key, message.c.account_id == account_id)
    )


def _sent(connection: Connection, key: str, account_id: int) -> Iterator[Entry]:
    statement = (
        select(
            *(message.c[name] for name in ("message_id", "subject", "campaign", "kind", "sent_at", "created_at")),
            delivery.c.id,
            delivery_state.c.state,
            delivery_state.c.resolution,
        )
        .join_from(delivery, message, delivery.c.message_id == message.c.id)
        .join(delivery_state, delivery_state.c.delivery_id == delivery.c.id, isouter=True)
        .where(delivery.c.recipient_key == key, message.c.account_id == account_id)
        .order_by(delivery.c.id.desc())
        .limit(MOST)
    )
    for row in connection.execute(statement).mappings():
        names = ("message_id", "subject", "campaign", "kind")
        yield {
            "at": moment(row["sent_at"] or row["created_at"]),
            "what": "sent",
            "delivery": row["id"],
            **{name: row[name] for name in names},
            "state": row["state"] or "sent",
            "resolution": row["resolution"],
        }


def _captures(connection: Connection, key: str, account_id: int) -> Iterator[Entry]:
    bounced = select(bounce.c.capture_id).where(bounce.c.address_key == key, bounce.c.account_id == account_id)
    tied = or_(capture.c.delivery_id.in_(_deliveries(key, account_id)), capture.c.id.in_(bounced))
    names = ("id", "received_at", "kind", "detectability", "subject", "trust", "delivery_id")
    statement = select(*(capture.c[name] for name in names)).where(tied).order_by(capture.c.id.desc()).limit(MOST)
    for row in connection.execute(statement).mappings():
        yield {
            "at": moment(row["received_at"]),
            "what": "capture",
            "capture": row["id"],
            "kind": row["kind"],
            "detectability": row["detectability"],
            "subject": row["subject"],
            "trust": row["trust"],
            "delivery": row["delivery_id"],
        }


def _bounces(connection: Connection, key: str, account_id: int) -> Iterator[Entry]:
    names = ("type", "category", "reason", "rule", "status", "smtp_code", "diagnostic", "proven")
    statement = (
        select(*(bounce.c[name] for name in (*names, "capture_id", "delivery_id")), capture.c.received_at)
        .join_from(bounce, capture, bounce.c.capture_id == capture.c.id)
        .where(bounce.c.address_key == key, bounce.c.account_id == account_id)
        .order_by(bounce.c.id.desc())
        .limit(MOST)
    )
    for row in connection.execute(statement).mappings():
        yield {
            "at": moment(row["received_at"]),
            "what": "bounce",
            "capture": row["capture_id"],
            "delivery": row["delivery_id"],
            **{name: row[name] for name in names},
        }


def _states(connection: Connection, key: str, account_id: int) -> Iterator[Entry]:
    statement = (
        select(state_change)
        .where(state_change.c.delivery_id.in_(_deliveries(key, account_id)))
        .order_by(state_change.c.id.desc())
        .limit(MOST)
    )
    for row in reversed(connection.execute(statement).mappings().all()):
        yield {
            "at": moment(row["at"]),
            "what": "state",
            "delivery": row["delivery_id"],
            "from": row["from_state"],
            "to": row["to_state"],
            **{name: row[name] for name in ("resolution", "type", "category", "reason", "cause")},
            "capture": row["capture_id"],
        }


def _suppressions(connection: Connection, key: str, account_id: int) -> Iterator[Entry]:
    """With who took one back and why. Of one for everyone an account is told no more than that there is one."""
    whose = suppression_change.c.account_id
    statement = (
        select(suppression_change)
        .where(suppression_change.c.address == key, or_(whose == account_id, whose.is_(None)))
        .order_by(suppression_change.c.id.desc())
        .limit(MOST)
    )
    told = {"category": "category", "reason": "reason", "incident": "incident_id", "who": "who", "why": "why"}
    for row in reversed(connection.execute(statement).mappings().all()):
        everyones = row["account_id"] is None
        yield {
            "at": moment(row["at"]),
            "what": "suppression",
            "change": row["change"],
            "global": everyones,
            **{name: None if everyones else row[column] for name, column in told.items()},
        }


def _last_hard_reason(connection: Connection, key: str, account_id: int) -> Category | None:
    statement = (
        select(bounce.c.category)
        .join_from(bounce, capture, bounce.c.capture_id == capture.c.id)
        .where(bounce.c.address_key == key, bounce.c.account_id == account_id)
        .where(bounce.c.type == BounceType.HARD, bounce.c.proven)
        .order_by(capture.c.received_at.desc(), bounce.c.id.desc())
        .limit(1)
    )
    found = connection.execute(statement).scalar()
    return Category(found) if found else None
