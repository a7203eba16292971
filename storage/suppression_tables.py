"""The tables of suppressions and of what becomes of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from storage.columns import CleanText, Document, Key
from storage.schema import ADDRESS, NEVER_AGAIN, only, table_of

# what a check reads
CHECKED = ("address", "account_id", "state", "type", "category", "reason", "since", "expires_at", "held_until")
ACTIVE = "state = 'active'"  # as a word of the statement: a parameter does not tell a database that an index fits
_ENDS = f"{ACTIVE} AND expires_at IS NOT NULL"


class Suppression(SQLModel, table=True):
    """An address that an account must not mail again, or once must not; no account means everyone.

    In lower case; of an address that was erased the keyed hash (storage/hashing.py).
    """

    __table_args__ = (
        UniqueConstraint("address", "account_id"),
        # NULLs differ from each other in a unique constraint, so the global ones have an index of their own
        Index(
            "uq_suppression_global",
            "address",
            unique=True,
            sqlite_where=text("account_id IS NULL"),
            postgresql_where=text("account_id IS NULL"),
        ),
        Index("ix_suppression_expires_at", "expires_at", sqlite_where=text(_ENDS), postgresql_where=text(_ENDS)),
        Index(
            "ix_suppression_incident_id",
            "incident_id",
            sqlite_where=text("incident_id IS NOT NULL"),
            postgresql_where=text("incident_id IS NOT NULL"),
        ),
        Index(
            "ix_suppression_held_until",
            "held_until",
            sqlite_where=text("held_until IS NOT NULL"),
            postgresql_where=text("held_until IS NOT NULL"),
        ),
        # for storage/checking.py, which asks for thousands of them: SQLite would read a page of the table for each,
        # and PostgreSQL compares texts on the way through a tree
        only("sqlite", Index("ix_suppression_checked", *CHECKED)),
        only("postgresql", Index("ix_suppression_address", "address", postgresql_using="hash")),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    account_id: int | None = Field(foreign_key="account.id")
    address: str = Field(sa_type=ADDRESS)
    state: str = Field(sa_type=CleanText)
    source: str = Field(sa_type=CleanText)
    type: str = Field(sa_type=CleanText)
    category: str = Field(sa_type=CleanText)
    reason: str = Field(sa_type=CleanText)
    since: datetime
    expires_at: datetime | None
    capture_id: int | None = Field(sa_type=Key)  # outlives the capture, so it refers to nothing
    incident_id: int | None = Field(sa_type=Key)
    lifted_at: datetime | None
    held_until: datetime | None  # storage/holding.py looks at it again then


class SuppressionChange(SQLModel, table=True):
    """What became of a suppression, and because of whom; the id is a cursor."""

    __tablename__ = "suppression_change"
    __table_args__ = (
        Index("ix_suppression_change_account_id_id", "account_id", "id"),
        Index(
            "ix_suppression_change_lifted",
            "account_id",
            "at",
            sqlite_where=text("change = 'lifted'"),
            postgresql_where=text("change = 'lifted'"),
        ),
        NEVER_AGAIN,
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    account_id: int | None
    address: str = Field(sa_type=ADDRESS, index=True)
    change: str = Field(sa_type=CleanText)  # added, lifted, expired, held, released
    at: datetime
    category: str = Field(sa_type=CleanText)
    reason: str = Field(sa_type=CleanText)
    capture_id: int | None = Field(sa_type=Key)
    incident_id: int | None = Field(sa_type=Key)
    who: str | None = Field(sa_type=CleanText)
    why: str | None = Field(sa_type=CleanText)


class Refusal(SQLModel, table=True):
    """A bounce that speaks of the sender: what incidents are counted from, for a while."""

    __table_args__ = (
        UniqueConstraint("capture_id", "address"),
        Index("ix_refusal_account_id_provider_reason_received_at", "account_id", "provider", "reason", "received_at"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    account_id: int
    provider: str = Field(sa_type=CleanText)
    reason: str = Field(sa_type=CleanText)
    address: str = Field(sa_type=ADDRESS)
    received_at: datetime = Field(index=True)
    capture_id: int = Field(sa_type=Key)


class Incident(SQLModel, table=True):
    """A wave of refusals of one account's mail, by one provider, for one reason."""

    __table_args__ = (
        Index(
            "uq_incident_running",
            "account_id",
            "provider",
            "reason",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        NEVER_AGAIN,
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    account_id: int = Field(foreign_key="account.id")
    provider: str = Field(sa_type=CleanText)
    reason: str = Field(sa_type=CleanText)
    began_at: datetime  # the first refusal of the wave
    opened_at: datetime  # the refusal that was one too many
    last_at: datetime
    closed_at: datetime | None
    refusals: int
    decision: str | None = Field(sa_type=CleanText)  # released or confirmed
    decided_at: datetime | None
    who: str | None = Field(sa_type=CleanText)
    why: str | None = Field(sa_type=CleanText)


class Erasure(SQLModel, table=True):
    """That everything about an address was removed; the certificate names it by its hash."""

    __table_args__ = (NEVER_AGAIN,)
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    account_id: int | None
    address_hash: str = Field(sa_type=CleanText, index=True)
    at: datetime
    who: str = Field(sa_type=CleanText)
    why: str = Field(sa_type=CleanText)
    certificate: dict[str, Any] = Field(sa_type=Document)


class Secret(SQLModel, table=True):
    """A random key of this database."""

    name: str = Field(primary_key=True, sa_type=CleanText)
    value: bytes = Field(sa_type=LargeBinary)


suppression, suppression_change = table_of(Suppression), table_of(SuppressionChange)
refusal, incident = table_of(Refusal), table_of(Incident)
erasure, secret = table_of(Erasure), table_of(Secret)
