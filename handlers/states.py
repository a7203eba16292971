"""The state of a delivery: one table of transitions, and what a capture says to it. docs/states.md shows both.

The rows stand in an order, and what is heard leads to one place at least, never back: joined like this, reports
come to the same state in every order and however often they come. Of those that lead to the same place the earliest
counts, so what is said of the state is the same too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, NamedTuple

from handlers.bounce import STRONG, Verdict
from handlers.events import Event, EventType
from handlers.message import Delivery, Message
from handlers.outcome import Bounce, Outcome
from handlers.report import RecipientStatus
from handlers.words import BounceType, Category, Cause, Reason, Resolution, State, Trust


class Word(StrEnum):
    """What can be heard of a delivery. `relayed` and `expanded` say nothing of its end (RFC 3464 2.3.3)."""

    DELAYED = "delayed"  # a report that it is tried again
    SILENCE = "silence"  # `pending_hours` since the first delay
    UNPROVEN = "unproven"  # a report of its failure that nothing proves
    DELIVERED = "delivered"  # a report that it is in the mailbox
    SOFT = "soft"  # a proven report of its failure, for now
    HARD = "hard"  # the same, for good


class Place(NamedTuple):
    """A state, and what it rests on where that is no proven report."""

    state: State
    resolution: Resolution | None = None


SENT, PENDING, DELIVERED = Place(State.SENT), Place(State.PENDING), Place(State.DELIVERED)
SOFT, HARD = Place(State.SOFT), Place(State.HARD)
ASSUMED, UNPROVEN = Place(State.SOFT, Resolution.ASSUMED), Place(State.SOFT, Resolution.UNPROVEN)

_ROWS = {
    # heard:    delayed    silence    unproven   delivered  soft  hard
    SENT: (PENDING, SENT, UNPROVEN, DELIVERED, SOFT, HARD),
    PENDING: (PENDING, ASSUMED, UNPROVEN, DELIVERED, SOFT, HARD),
    ASSUMED: (ASSUMED, ASSUMED, UNPROVEN, DELIVERED, SOFT, HARD),
    UNPROVEN: (UNPROVEN, UNPROVEN, UNPROVEN, DELIVERED, SOFT, HARD),
    DELIVERED: (DELIVERED, DELIVERED, DELIVERED, DELIVERED, SOFT, HARD),
    SOFT: (SOFT, SOFT, SOFT, SOFT, SOFT, HARD),
    HARD: (HARD, HARD, HARD, HARD, HARD, HARD),
}
TABLE: Mapping[Place, Mapping[Word, Place]] = {place: dict(zip(Word, row, strict=True)) for place, row in _ROWS.items()}
# which word a place is the place of; the earliest of these is what is told
_OF = {
    PENDING: Word.DELAYED,
    ASSUMED: Word.DELAYED,
    UNPROVEN: Word.UNPROVEN,
    DELIVERED: Word.DELIVERED,
    SOFT: Word.SOFT,
    HARD: Word.HARD,
}
_CLEAR = {SENT, DELIVERED}  # no bounce, or none any more
_EVENTS = {
    State.HARD: EventType.BOUNCE_HARD,
    State.SOFT: EventType.BOUNCE_SOFT,
    State.PENDING: EventType.BOUNCE_PENDING,
}


NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a delivery stands. `type`, `category` and `reason` are those of the report that it rests on."""

    place: Place = SENT
    since: datetime = NEVER  # when that report came, or the time for one was over
    type: BounceType | None = None
    category: Category | None = None
    reason: Reason | None = None
    capture: int | None = None
    pending_since: datetime | None = None  # the first delay, whatever came of it
    delivered_at: datetime | None = None  # the first report of its arrival, whatever else came


@dataclass(frozen=True, slots=True)
class Heard:
    """What one capture says of one delivery."""

    delivery: Delivery
    word: Word
    moment: datetime  # when the capture came
    capture: int
    verdict: Verdict | None = None  # None of an arrival
    recipient: RecipientStatus | None = None  # as the report has it


@dataclass(frozen=True, slots=True)
class Change:
    """A revision of one delivery's state."""

    delivery: Delivery
    was: Standing
    now: Standing
    cause: Cause
    at: datetime
    recipient: RecipientStatus | None = None  # as the report has it


def heard(outcome: Outcome) -> Iterator[Heard]:
    """What a capture says of our deliveries."""
    moment, position = outcome.mail.envelope.received_at, outcome.mail.position
    for bounce in outcome.bounces:
        said = word(outcome, bounce) if bounce.delivery else None
        if bounce.delivery and said:
            yield Heard(bounce.delivery, said, moment, position, bounce.verdict, bounce.recipient)
    for delivery in outcome.delivered:
        yield Heard(delivery, Word.DELIVERED, moment, position)


def word(outcome: Outcome, bounce: Bounce) -> Word | None:
    """What a bounce says. Without a strong link, or where something in it is not true, that is nothing that counts.

    A temporary failure that is tried again is a delay, whatever the report calls it.
    """
    if outcome.trust is Trust.SUSPECT or not any(link.strength == STRONG for link in outcome.links):
        return None
    type_ = bounce.verdict.type
    retried = type_ is BounceType.SOFT and _will_retry(bounce.recipient, outcome.mail.envelope.received_at)
    if type_ is BounceType.PENDING or retried:
        return Word.DELAYED
    if not (bounce.proven or bounce.again):  # which report came first is nothing that a state may depend on
        return Word.UNPROVEN
    return Word.HARD if type_ is BounceType.HARD else Word.SOFT


def step(was: Standing, said: Heard) -> Standing:
    """How the delivery stands when this is heard too."""
    place = TABLE[was.place][said.word]
    pending_since = _earliest(was.pending_since, said, Word.DELAYED)
    delivered_at = _earliest(was.delivered_at, said, Word.DELIVERED)
    if place != was.place:
        return _resting_on(said, place, said.moment, pending_since, delivered_at)
    if _OF.get(place) is said.word and _key(said) < _own_key(was):
        return _resting_on(said, place, was.since + (said.moment - _moment(was)), pending_since, delivered_at)
    if (pending_since, delivered_at) == (was.pending_since, was.delivered_at):
        return was
    return replace(was, pending_since=pending_since, delivered_at=delivered_at)


def assume(was: Standing, window: timedelta) -> Standing:
    """How it stands when nothing more is heard within `window` of the first delay."""
    place = TABLE[was.place][Word.SILENCE]
    if place == was.place or was.pending_since is None:
        return was
    return replace(was, place=place, since=was.pending_since + window)


def differ(was: Standing, now: Standing) -> bool:
    """Whether it is a revision: a report that repeats another one is none."""
    return was is not now and _content(was) != _content(now)


def event(made: Change) -> Event | None:
    """What the sender is told: only where the state is another one, and of an arrival only where it was in doubt."""
    was, now = made.was.place, made.now.place
    cleared = now in _CLEAR and was not in _CLEAR
    type_ = EventType.BOUNCE_CLEARED if cleared else _EVENTS.get(now.state)
    if type_ is None or was == now:
        return None
    ours = made.delivery
    key = f"delivery:{ours.id}:{now.resolution or now.state}:{_because(made)}"
    data = _data(ours.recipient, ours.message, was, made.now, made.cause, made.recipient)
    return Event(type_, key, ours.message.account.id, ours.id, data, made.at)


def _because(made: Change) -> str:
    """What makes the fact one of its own: an operator may say the same again."""
    if made.cause is Cause.CAPTURE:
        return f"{made.now.capture}"
    return f"{made.cause}:{made.at.isoformat()}" if made.cause is not Cause.CLOCK else made.cause


def unregistered(outcome: Outcome) -> Iterator[Event]:
    """What is told of bounces whose token was minted offline and never registered: they have no state.

    The same of one token and address is told once.
    """
    moment, position = outcome.mail.envelope.received_at, outcome.mail.position
    for bounce in outcome.bounces:
        said = word(outcome, bounce) if bounce.delivery is None and bounce.token is not None else None
        if said:
            place, told = TABLE[SENT][said], bounce.verdict
            now = Standing(place, moment, told.type, told.category, told.reason, position)
            key = f"token:{bounce.token}:{bounce.address.lower()}:{place.resolution or place.state}"
            data = _data(bounce.address, None, SENT, now, Cause.CAPTURE, bounce.recipient)
            yield Event(_EVENTS[place.state], key, bounce.account.id, None, data | {"token": bounce.token}, moment)


def _data(
    address: str, message: Message | None, was: Place, now: Standing, cause: Cause, recipient: RecipientStatus | None
) -> dict[str, Any]:
    return {
        "recipient": address,
        "message_id": message and message.message_id,
        "envelope_id": message and message.envelope_id,
        "campaign": message and message.campaign,
        "kind": message and message.kind,
        "state": now.place.state,
        "previous": was.state,
        "resolution": now.place.resolution,
        "cause": cause,
        "type": now.type,
        "category": now.category,
        "reason": now.reason,
        "status": recipient and recipient.status,
        "smtp_code": recipient and recipient.smtp_code,
        "diagnostic": recipient and recipient.diagnostic_code,
        "capture": now.capture,
        "since": now.since.isoformat(),
    }


def _will_retry(recipient: RecipientStatus, moment: datetime) -> bool:
    """Will-Retry-Until (RFC 3464 2.3.9) is yet to come."""
    try:
        until = parsedate_to_datetime(recipient.will_retry_until or "")
    except ValueError:
        return False
    return (until if until.tzinfo else until.replace(tzinfo=UTC)) > moment


def _earliest(known: datetime | None, said: Heard, of: Word) -> datetime | None:
    if said.word is not of:
        return known
    return min(known, said.moment) if known else said.moment


def _resting_on(
    said: Heard, place: Place, since: datetime, pending_since: datetime | None, delivered_at: datetime | None
) -> Standing:
    told = said.verdict
    if told is None:
        return Standing(place, since, None, None, None, said.capture, pending_since, delivered_at)
    return Standing(place, since, told.type, told.category, told.reason, said.capture, pending_since, delivered_at)


_Key = tuple[datetime, str, str, str, int]


def _key(said: Heard) -> _Key:
    """What tells which of two reports counts: the earlier one, and of the same moment any, but always the same."""
    verdict = said.verdict
    words = (verdict.type, verdict.category, verdict.reason) if verdict else ("", "", "")
    return (said.moment, *words, said.capture)


def _own_key(was: Standing) -> _Key:
    return (_moment(was), was.type or "", was.category or "", was.reason or "", was.capture or 0)


def _moment(was: Standing) -> datetime:
    """When the report came that it rests on."""
    return was.pending_since if was.place == ASSUMED and was.pending_since else was.since


def _content(standing: Standing) -> tuple[object, ...]:
    return (standing.place, standing.type, standing.category, standing.reason, standing.since)
