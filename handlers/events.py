"""What a sender is told: one event for each fact that changed something. docs/states.md says when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from handlers.outcome import Outcome
from handlers.words import Detectability, Kind


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


_OF_KINDS = {Kind.COMPLAINT: EventType.COMPLAINT, Kind.AUTO_REPLY: EventType.AUTO_REPLY}


def of_capture(outcome: Outcome) -> Event | None:
    """What is told of a capture by itself: a complaint or an automatic reply to an account's mail, a detached notice.

    What it says of deliveries is in handlers/states.py.
    """
    type_ = _OF_KINDS.get(outcome.report.kind) if outcome.account else None
    if outcome.detectability is Detectability.UNDETECTABLE:
        type_ = EventType.CAPTURE_UNDETECTABLE
    if type_ is None:
        return None
    sent, report, position = outcome.delivery, outcome.report, outcome.mail.position
    data = {
        "capture": position,
        "subject": report.subject,
        "from": report.from_,
        "recipient": sent and sent.recipient,
        "message_id": sent and sent.message.message_id,
        "envelope_id": sent and sent.message.envelope_id,
        "campaign": sent and sent.message.campaign,
        "kind": sent and sent.message.kind,
        "suggestion": report.suggestion and dict(report.suggestion),
        "trust": outcome.trust,
        "undetectable_reason": outcome.undetectable_reason,
    }
    account = outcome.account.id if outcome.account else None
    delivery = sent.id if sent else None
    return Event(type_, f"capture:{position}:{type_}", account, delivery, data, outcome.mail.envelope.received_at)
