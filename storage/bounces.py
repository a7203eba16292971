"""The verdicts on deliveries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select

from handlers import apply, states
from handlers.outcome import Bounce, Outcome
from handlers.words import BounceType, Category, Reason
from storage import batch, originals, pages, shapes
from storage.columns import address_key
from storage.tables import account, bounce
from storage.upsert import insert_new

SHOWN = originals.joined(bounce, bounce.c)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which bounces: all of what is said here must hold."""

    address: str | None = None  # case ignored
    type: BounceType | None = None
    category: Category | None = None
    reason: Reason | None = None
    account: str | None = None
    capture: int | None = None
    delivery: int | None = None
    since: int | None = None  # only those with a higher id
    before: int | None = None  # only those with a lower id


def insert(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Store the bounces of captures that are stored; the one of a capture that is there already stays."""
    now = datetime.now(UTC)
    rows = [row(outcome, ordinal, each, now) for outcome in outcomes for ordinal, each in enumerate(outcome.bounces)]
    batch.write(connection, insert_new(connection, bounce), rows)


def find(connection: Connection, wanted: Filter, *, newest_first: bool = False) -> Iterator[dict[str, Any]]:
    """The bounces as `bounces --json` shows them, newest last; read as they are taken, a page at a time."""
    statement = pages.between(narrowed(wanted), bounce.c.id, wanted.since, wanted.before)
    for each in pages.rows(connection, statement, bounce.c.id, page=500, newest_first=newest_first):
        yield shapes.bounce(each)


def narrowed(wanted: Filter) -> Select[Any]:
    """Those that are wanted, in no order; since and before are for the caller."""
    return pages.narrowed(
        SHOWN,
        (bounce.c.address_key, wanted.address and address_key(wanted.address)),
        (bounce.c.type, wanted.type),
        (bounce.c.category, wanted.category),
        (bounce.c.reason, wanted.reason),
        (bounce.c.capture_id, wanted.capture),
        (bounce.c.delivery_id, wanted.delivery),
        (account.c.name, wanted.account),
    )


def row(outcome: Outcome, ordinal: int, found: Bounce, now: datetime) -> dict[str, Any]:
    """The columns of the bounce with this number of a capture."""
    return {
        "capture_id": outcome.mail.position,
        "ordinal": ordinal,
        "delivery_id": found.delivery and found.delivery.id,
        "account_id": found.account.id,
        "token": found.token,
        "address": found.address,
        "address_key": address_key(found.address),
        "type": found.verdict.type,
        "category": found.verdict.category,
        "reason": found.verdict.reason,
        "rule": found.verdict.rule,
        "status": found.recipient.status,
        "smtp_code": found.recipient.smtp_code,
        "diagnostic": found.recipient.diagnostic_code,
        "action": found.recipient.action,
        "proven": found.proven,
        "heard": states.word(outcome, found),
        "suppresses": apply.suppresses(found),
        "span": found.verdict.span,
        "guess": found.verdict.guess,
        "confidence": found.verdict.confidence,
        "created_at": now,
    }
