"""The tables. Columns carry the field's words; storage/migrations brings a database to this state."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from storage.api_tables import api_key, api_request
from storage.columns import LONGEST_DOMAIN, CleanText, Document, Key
from storage.schema import ADDRESS, NEVER_AGAIN, table_of
from storage.suppression_tables import erasure, incident, refusal, secret, suppression, suppression_change

__all__ = [
    "api_key",
    "api_request",
    "erasure",
    "incident",
    "refusal",
    "secret",
    "suppression",
    "suppression_change",
]


class Account(SQLModel, table=True):
    """A tenant. Tokens carry the id, so an id is never given twice."""

    __table_args__ = NEVER_AGAIN
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_type=CleanText, unique=True)
    owner: str | None = Field(default=None, sa_type=CleanText)  # who has it; without one it is an owner of its own
    created_at: datetime


class Message(SQLModel, table=True):
    """An original message that an account sent."""

    __table_args__ = (
        UniqueConstraint("account_id", "message_id"),
        Index("ix_message_account_id_id", "account_id", "id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    account_id: int = Field(foreign_key="account.id")
    message_id: str = Field(sa_type=CleanText, index=True)
    envelope_id: str | None = Field(sa_type=CleanText, index=True)
    subject: str | None = Field(sa_type=CleanText)
    campaign: str | None = Field(sa_type=CleanText)
    kind: str = Field(sa_type=CleanText)
    sent_at: datetime | None
    created_at: datetime


class Delivery(SQLModel, table=True):
    """One recipient of one message. Without a token there is one row for each recipient."""

    __table_args__ = (
        Index("ix_delivery_message_id_recipient_key", "message_id", "recipient_key"),
        Index("ix_delivery_account_id_id", "account_id", "id"),
        Index(
            "uq_delivery_tokenless",
            "message_id",
            "recipient",
            unique=True,
            sqlite_where=text("token IS NULL"),
            postgresql_where=text("token IS NULL"),
        ),
        NEVER_AGAIN,
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    message_id: int = Field(foreign_key="message.id", sa_type=Key)
    account_id: int = Field(sa_column_kwargs={"server_default": "0"})  # its message's, for lists
    recipient: str = Field(sa_type=ADDRESS)
    recipient_key: str = Field(sa_type=ADDRESS, index=True)  # in lower case, as a bounce has it
    token: str | None = Field(sa_type=CleanText, unique=True)


class Capture(SQLModel, table=True):
    """One mail received, raw and whole. The id is its position in the journal."""

    __table_args__ = (
        Index("ix_capture_account_id_id", "account_id", "id"),
        # all that blind spots are counted by: a count reads no capture
        Index("ix_capture_gateway", "detectability", "gateway", "received_at"),
        Index("ix_capture_receiving_domain", "detectability", "receiving_domain", "received_at"),
        Index(
            "ix_capture_undetectable",
            *("detectability", "received_at", "gateway", "receiving_domain", "undetectable_reason", "language"),
            sqlite_where=text("detectability = 'undetectable'"),
            postgresql_where=text("detectability = 'undetectable'"),
        ),
    )
    id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    received_at: datetime = Field(index=True)
    reverse_path: str = Field(sa_type=CleanText)
    forward_paths: list[str] = Field(sa_type=Document)
    helo: str = Field(sa_type=CleanText)
    client: str = Field(sa_type=CleanText)
    protocol: str = Field(sa_type=CleanText)
    tls: str | None = Field(sa_type=CleanText)
    kind: str = Field(sa_type=CleanText, index=True)
    detectability: str = Field(sa_type=CleanText, index=True)
    notice_form: str | None = Field(sa_type=CleanText)
    undetectable_reason: str | None = Field(sa_type=CleanText)
    gateway: str | None = Field(sa_type=CleanText)
    language: str | None = Field(sa_type=CleanText)
    receiving_domain: str | None = Field(sa_type=CleanText(LONGEST_DOMAIN))
    hints: dict[str, Any] | None = Field(sa_type=Document)
    subject: str = Field(sa_type=CleanText)
    message_id: str | None = Field(sa_type=CleanText)  # of the capture itself
    delivery_id: int | None = Field(foreign_key="delivery.id", sa_type=Key, index=True)
    account_id: int | None = Field(foreign_key="account.id")
    reporting_mta: str | None = Field(sa_type=CleanText)
    report: dict[str, Any] = Field(sa_type=Document)
    recipients: list[dict[str, Any]] = Field(sa_type=Document)
    links: list[dict[str, Any]] = Field(sa_type=Document)
    authentication: dict[str, str] = Field(sa_type=Document)
    trust: str | None = Field(sa_type=CleanText)
    trust_reasons: list[str] = Field(sa_type=Document)
    faults: list[str] = Field(sa_type=Document)
    held: str | None = Field(sa_type=CleanText)
    raw: bytes = Field(sa_type=LargeBinary)  # zlib
    size: int  # octets of the mail as received
    erased_at: datetime | None = None  # nothing of what it says is left


class Bounce(SQLModel, table=True):
    """The verdict on one delivery, drawn from a capture; `ordinal` counts those of one capture."""

    __table_args__ = (
        UniqueConstraint("capture_id", "ordinal"),
        Index("ix_bounce_account_id_id", "account_id", "id"),
        # the first proof, of however many reports that repeat it
        Index(
            "ix_bounce_proof_of_delivery",
            *("delivery_id", "type", "capture_id"),
            sqlite_where=text("proven = 1"),
            postgresql_where=text("proven"),
        ),
        Index(
            "ix_bounce_proof_of_token",
            *("address_key", "token", "type", "capture_id"),
            sqlite_where=text("proven = 1 AND delivery_id IS NULL"),
            postgresql_where=text("proven AND delivery_id IS NULL"),
        ),
        NEVER_AGAIN,
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    capture_id: int = Field(foreign_key="capture.id", sa_type=Key)
    ordinal: int
    delivery_id: int | None = Field(foreign_key="delivery.id", sa_type=Key, index=True)
    account_id: int = Field(foreign_key="account.id")
    token: str | None = Field(sa_type=CleanText)
    address: str = Field(sa_type=ADDRESS)
    address_key: str = Field(sa_type=ADDRESS, index=True)  # in lower case, as a suppression has it
    type: str = Field(sa_type=CleanText)
    category: str = Field(sa_type=CleanText)
    reason: str = Field(sa_type=CleanText)
    rule: str = Field(sa_type=CleanText)
    status: str | None = Field(sa_type=CleanText)
    smtp_code: int | None
    diagnostic: str | None = Field(sa_type=CleanText)
    action: str | None = Field(sa_type=CleanText)
    proven: bool  # it may have an effect on the delivery
    heard: str | None = Field(sa_type=CleanText)  # what it says of the delivery's state, handlers.states.Word
    suppresses: bool  # it is a reason not to mail the address again
    span: str = Field(sa_type=CleanText)
    guess: bool
    confidence: float
    created_at: datetime = Field(index=True)


class Arrival(SQLModel, table=True):
    """A capture says that a delivery is in the mailbox."""

    capture_id: int = Field(foreign_key="capture.id", ondelete="CASCADE", primary_key=True, sa_type=Key)
    delivery_id: int = Field(foreign_key="delivery.id", ondelete="CASCADE", primary_key=True, sa_type=Key, index=True)


class Waiting(SQLModel, table=True):
    """A token or an id that a capture names, and that nobody has registered yet."""

    __table_args__ = (Index("ix_waiting_due", "capture_id", sqlite_where=text("due"), postgresql_where=text("due")),)
    value: str = Field(primary_key=True, sa_type=ADDRESS)
    capture_id: int = Field(foreign_key="capture.id", ondelete="CASCADE", primary_key=True, sa_type=Key, index=True)
    due: bool  # it is registered by now: the capture is to be matched again


class HandLink(SQLModel, table=True):
    """A person's word that a capture is about a delivery, and whether it was taken back."""

    __tablename__ = "hand_link"
    __table_args__ = (
        Index(
            "uq_hand_link_standing",
            "capture_id",
            unique=True,
            sqlite_where=text("undone_at IS NULL"),
            postgresql_where=text("undone_at IS NULL"),
        ),
        NEVER_AGAIN,
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    capture_id: int = Field(foreign_key="capture.id", ondelete="CASCADE", sa_type=Key, index=True)
    delivery_id: int = Field(foreign_key="delivery.id", ondelete="CASCADE", sa_type=Key, index=True)
    who: str = Field(sa_type=CleanText)
    why: str = Field(sa_type=CleanText)
    linked_at: datetime
    undone_at: datetime | None
    undone_by: str | None = Field(sa_type=CleanText)
    undone_why: str | None = Field(sa_type=CleanText)


class DeliveryState(SQLModel, table=True):
    """How a delivery stands (handlers/states.py). One of which nothing was heard has no row."""

    __tablename__ = "delivery_state"
    __table_args__ = (
        Index(
            "ix_delivery_state_pending",
            "pending_since",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
    )
    delivery_id: int = Field(foreign_key="delivery.id", ondelete="CASCADE", primary_key=True, sa_type=Key)
    state: str = Field(sa_type=CleanText)
    resolution: str | None = Field(sa_type=CleanText)
    type: str | None = Field(sa_type=CleanText)
    category: str | None = Field(sa_type=CleanText)
    reason: str | None = Field(sa_type=CleanText)
    since: datetime
    pending_since: datetime | None
    delivered_at: datetime | None
    capture_id: int | None = Field(sa_type=Key)  # outlives the capture, so it refers to nothing


class StateChange(SQLModel, table=True):
    """A revision of a delivery's state, with what caused it."""

    __tablename__ = "state_change"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    delivery_id: int = Field(foreign_key="delivery.id", ondelete="CASCADE", sa_type=Key, index=True)
    from_state: str = Field(sa_type=CleanText)
    to_state: str = Field(sa_type=CleanText)
    resolution: str | None = Field(sa_type=CleanText)
    type: str | None = Field(sa_type=CleanText)
    category: str | None = Field(sa_type=CleanText)
    reason: str | None = Field(sa_type=CleanText)
    cause: str = Field(sa_type=CleanText)
    capture_id: int | None = Field(sa_type=Key)
    at: datetime


class Event(SQLModel, table=True):
    """A fact that a sender is told; `sequence` counts those of one delivery."""

    __table_args__ = (
        Index("ix_event_delivery_id_sequence", "delivery_id", "sequence"),
        Index("ix_event_account_id_id", "account_id", "id"),
        NEVER_AGAIN,
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    account_id: int | None = Field(foreign_key="account.id")
    delivery_id: int | None = Field(sa_type=Key)  # outlives the delivery, so it refers to nothing
    sequence: int | None
    type: str = Field(sa_type=CleanText)
    key: str = Field(sa_type=CleanText, unique=True)
    data: dict[str, Any] = Field(sa_type=Document)
    occurred_at: datetime


class EventCount(SQLModel, table=True):
    """How far the events of a delivery had counted, of which some are forgotten: the next one counts on."""

    __tablename__ = "event_count"
    delivery_id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    sequence: int


class Position(SQLModel, table=True):
    """How far one consumer has read."""

    name: str = Field(primary_key=True, sa_type=CleanText)
    position: int = Field(sa_type=Key)


account, message, delivery = table_of(Account), table_of(Message), table_of(Delivery)
capture, bounce, arrival = table_of(Capture), table_of(Bounce), table_of(Arrival)
waiting, hand_link = table_of(Waiting), table_of(HandLink)
delivery_state, state_change = table_of(DeliveryState), table_of(StateChange)
position = table_of(Position)
event, event_count = table_of(Event), table_of(EventCount)
