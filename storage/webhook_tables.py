"""The tables of the webhooks: the endpoints, what is to be sent to each, and every try."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

import storage.tables  # noqa: F401 - what these refer to, and the names of constraints
from storage.columns import CleanText, Document, Key

_NEVER_AGAIN = {"sqlite_autoincrement": True}  # or SQLite gives the id of a deleted last row again
_QUEUED = text("state = 'queued'")


class Webhook(SQLModel, table=True):
    """An endpoint; no account means the operator, who is told everything."""

    __table_args__ = _NEVER_AGAIN
    id: int | None = Field(default=None, primary_key=True)
    account_id: int | None = Field(foreign_key="account.id", index=True)
    url: str = Field(sa_type=CleanText)
    events: list[str] = Field(sa_type=Document)  # the types that it wants; none: all
    secrets: list[dict[str, Any]] = Field(sa_type=Document)  # newest first; an old one has an end
    state: str = Field(sa_type=CleanText)  # enabled, broken, disabled
    why: str | None = Field(sa_type=CleanText)  # it is broken or disabled
    failures: int  # in a row
    broken_since: datetime | None
    probe_at: datetime | None  # when a broken one is tried again
    after_event: int = Field(sa_type=Key)  # events up to this one are not for it
    created_at: datetime


class WebhookDispatch(SQLModel, table=True):
    """One event for one endpoint. `superseded_by` is the event that tells it along."""

    __tablename__ = "webhook_dispatch"
    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_webhook_dispatch_due", "webhook_id", "state", "due_at"),
        Index(
            "ix_webhook_dispatch_order",
            "webhook_id",
            "delivery_id",
            "event_id",
            sqlite_where=_QUEUED,
            postgresql_where=_QUEUED,
        ),
        Index("ix_webhook_dispatch_superseded_by", "superseded_by", "webhook_id"),
        _NEVER_AGAIN,
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    webhook_id: int = Field(foreign_key="webhook.id", ondelete="CASCADE")
    event_id: int = Field(foreign_key="event.id", ondelete="CASCADE", sa_type=Key, index=True)
    delivery_id: int | None = Field(sa_type=Key)
    state: str = Field(sa_type=CleanText)  # queued, delivered, superseded, dead
    supersedable: bool
    superseded_by: int | None = Field(sa_type=Key)
    tries: int
    due_at: datetime
    queued_at: datetime
    finished_at: datetime | None = Field(index=True)
    why: str | None = Field(sa_type=CleanText)  # the last try failed


class WebhookAttempt(SQLModel, table=True):
    """One try of one dispatch."""

    __tablename__ = "webhook_attempt"
    __table_args__ = _NEVER_AGAIN
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    dispatch_id: int = Field(foreign_key="webhook_dispatch.id", ondelete="CASCADE", sa_type=Key, index=True)
    at: datetime
    milliseconds: int
    status: int | None  # of the answer; none came
    error: str | None = Field(sa_type=CleanText)
    excerpt: str | None = Field(sa_type=CleanText)  # of the answer's body


webhook, dispatch, attempt = (
    SQLModel.metadata.tables[name] for name in ("webhook", "webhook_dispatch", "webhook_attempt")
)
