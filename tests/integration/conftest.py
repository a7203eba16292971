"""An outcome to store: what a failure notice with one recipient came to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.bounce import Link, Verdict
from handlers.envelope import Envelope, Mail
from handlers.message import Delivery
from handlers.outcome import Bounce, Outcome, Suppression
from handlers.report import RecipientStatus, Report
from handlers.words import (
    Action,
    BounceType,
    Category,
    Detectability,
    Kind,
    LinkMethod,
    NoticeForm,
    Reason,
)


@pytest.fixture(scope="session")
def outcome_of() -> Callable[..., Outcome]:
    """outcome_of(position, delivery=None, **fields): a failure notice with one recipient."""
    return _outcome


def _outcome(position: int, delivery: Delivery | None = None, **fields: Any) -> Outcome:
    raw = b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered\r\n\r\nno such user \xff\x00\r\n"
    at = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
    envelope = Envelope("", ("b-token@bounce.test",), "mx.example", "192.0.2.7", at)
    status = RecipientStatus(
        "alias@mx.example", "ann@mx.example", Action.FAILED, "5.1.1", smtp_code=550, diagnostic_code="550 no such user"
    )
    verdict = Verdict(Reason.USER_UNKNOWN, BounceType.HARD, Category.UNKNOWN_USER, "user-unknown", "no such user")
    report = Report(
        Kind.FAILURE,
        NoticeForm.DSN,
        (status,),
        reporting_mta="mx.example",
        subject="Undelivered",
        message_id="<n1@mx.example>",
    )
    outcome = Outcome(Mail(position, envelope, raw), report, (verdict,), (), Detectability.UNMATCHED, NoticeForm.DSN)
    if delivery:
        account = delivery.message.account
        outcome = replace(
            outcome,
            links=(Link(LinkMethod.TOKEN, "forward_path", "valid", str(delivery.token), delivery.id, "strong"),),
            detectability=Detectability.MATCHED,
            delivery=delivery,
            account=account,
            bounces=(Bounce(delivery.recipient, account, delivery, delivery.token, status, verdict, proven=True),),
            suppressions=(Suppression(delivery.recipient, account, verdict.type, verdict.category, verdict.reason),),
        )
    return replace(outcome, **fields)
