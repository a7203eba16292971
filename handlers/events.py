"""What a sender is told: one event for each fact that changed something. docs/states.md says when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """The name of an event, as webhooks and the API write it."""

    BOUNCE_HARD = "bounce.hard"
    BOUNCE_SOFT = "bounce.soft"
    BOUNCE_PENDING = "bounce.pending"
    BOUNCE_GLOBAL = "bounce.global"
    BOUNCE_CLEARED = "bounce.cleared"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    CAPTURE_UNDETECTABLE = "capture.undetectable"
    SUPPRESSION_ADDED = "suppression.added"
    SUPPRESSION_LIFTED = "suppression.lifted"
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_CLOSED = "incident.closed"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. The same fact put twice is one event: `key` is unique for it, like "delivery:12:hard:capture:345"."""

    type: EventType
    key: str
    account: int | None  # whom it concerns; None: the operator
    delivery: int | None  # whose sequence it stands in; None: it is about no single delivery
    data: Mapping[str, Any]  # JSON values only
    occurred_at: datetime
