"""What the steps found in one capture, as JSON-ready values: the shapes of `inspect --json` and `captures --json`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from handlers.bounce import NO_BOUNCE, Link, Verdict
from handlers.report import Original, RecipientStatus, Report
from handlers.words import Detectability, NoticeForm

_TEXT = 2000  # characters of the notice's own words; the mail itself is stored beside them


def inspection(
    report: Report,
    verdicts: Sequence[Verdict],
    links: Iterable[Link],
    detectability: Detectability,
    notice_form: NoticeForm | None,
) -> dict[str, Any]:
    """One mail as `inspect --json` prints it, without "file"."""
    return {
        "kind": report.kind,
        "detectability": detectability,
        "notice_form": notice_form,
        "links": [link(each) for each in links],
        "recipients": recipients(report, verdicts),
    }


def recipients(
    report: Report, verdicts: Sequence[Verdict], mailed: Mapping[RecipientStatus, str] | None = None
) -> list[dict[str, Any]]:
    """The recipients with their verdicts: one for each recipient, or none at all where nothing was classified.

    `address` is the delivery's own where `mailed` knows it, else the final recipient (RFC 3464 2.3.2).
    Raises ValueError when verdicts and recipients do not belong together.
    """
    known = mailed or {}
    found: Sequence[Verdict | None] = verdicts or [None for _ in report.recipients]
    return [
        _recipient(status, verdict, known.get(status, status.final_recipient))
        for status, verdict in zip(report.recipients, found, strict=True)
    ]


def _recipient(status: RecipientStatus, verdict: Verdict | None, address: str) -> dict[str, Any]:
    # what arrived, or says no failure at all, has no reason and no type: only why it has none
    bounced = verdict if verdict and verdict.rule not in NO_BOUNCE else None
    return {
        "address": address,
        "final_recipient": status.final_recipient,
        "original_recipient": status.original_recipient,
        "action": status.action,
        "status": status.status,
        "smtp_code": status.smtp_code,
        "diagnostic": status.diagnostic_code,
        "remote_mta": status.remote_mta,
        "reason": bounced and bounced.reason,
        "category": bounced and bounced.category,
        "type": bounced and bounced.type,
        "rule": verdict and verdict.rule,
        "span": verdict and verdict.span,
    }


def link(found: Link) -> dict[str, Any]:
    """One piece of evidence."""
    return {
        "method": found.method,
        "where": found.where,
        "state": found.state,
        "value": found.value,
        "delivery": found.delivery,
        "strength": found.strength,
    }


def report_fields(report: Report) -> dict[str, Any]:
    """What a report says of the message as a whole, without what stands beside it in a capture's own fields."""
    return {
        "dsn_gateway": report.dsn_gateway,
        "received_from_mta": report.received_from_mta,
        "original_envelope_id": report.original_envelope_id,
        "arrival_date": report.arrival_date,
        "original": report.original and _original(report.original),
        "in_reply_to": list(report.in_reply_to),
        "references": list(report.references),
        "from": report.from_,
        "date": report.date,
        "dialect": report.dialect,
        "gateway": report.gateway,
        "language": report.language,
        "text": report.text[:_TEXT],
        "suggestion": report.suggestion and dict(report.suggestion),
    }


def _original(original: Original) -> dict[str, Any]:
    return {
        "where": original.where,
        "message_id": original.message_id,
        "subject": original.subject,
        "from": original.from_,
        "to": original.to,
    }
