"""Reports whose type says what they are: ARF, MDN, DMARC, TLS-RPT, calendars. Only leaves of the mail itself count."""

import re

from handlers.parse import dsn, phrases
from handlers.parse.headers import Headers, split_block, text
from handlers.parse.mime import Part
from handlers.parse.notice import Notice
from handlers.report import RecipientStatus
from handlers.words import Action, Kind

MDN = ("message/disposition-notification", "message/global-disposition-notification")
_NO_COMPLAINT = frozenset({"auth-failure", "not-spam", "auth-report", "dmarc"})  # RFC 6591, RFC 6430
_DMARC_FILE = re.compile(
    r"[^\s!]{1,255}![^\s!]{1,255}!\d{6,12}!\d{6,12}(?:![^\s.]{1,60})?\.(?:xml|zip|json)", re.IGNORECASE
)
_AGGREGATE = (
    "application/gzip",
    "application/x-gzip",
    "application/zip",
    "application/x-zip-compressed",
    "application/xml",
    "text/xml",
)
_FIELDS_BYTES = 64 * 1024


def fields_of(part: Part) -> Headers:
    """The fields of a report part (they are a header block, RFC 5965 3)."""
    return split_block(part.octets(_FIELDS_BYTES).lstrip(b"\n"))


def kind(notice: Notice) -> Kind | None:
    """What a typed report is; None where no type says."""
    feedback = notice.mail.leaf("message/feedback-report")
    if feedback is not None:
        value = text(fields_of(feedback).get("feedback-type", "")).strip().lower()
        return Kind.REPORT if value in _NO_COMPLAINT else Kind.COMPLAINT
    if notice.mail.leaf(*MDN):
        return Kind.FAILURE if rejected(notice) else Kind.MDN
    if notice.mail.leaf("text/calendar", "application/ics"):
        return Kind.OTHER
    if _is_statistics(notice):
        return Kind.REPORT
    if "cfbl-feedback-id" in notice.fields and notice.mail.leaf("message/rfc822"):
        return Kind.COMPLAINT  # RFC 9477 3.1.2: the report itself is ARF, some send the message alone
    return None


def rejected(notice: Notice) -> bool:
    """A Sieve or delivery agent's "reject" in the form of an MDN (RFC 5429 2.1.2): automatic, deleted, and says so."""
    part = notice.mail.leaf(*MDN)
    if part is None:
        return False
    disposition = text(fields_of(part).get("disposition", "")).lower()
    if "automatic-action" not in disposition or not disposition.rstrip(" /").endswith(("deleted", "failed", "denied")):
        return False
    marked = "reject" in notice.header("auto-submitted").lower() or "reject" in notice.subject.lower()
    return marked or (notice.signs.hard_role and notice.signs.failure)


def recipients(notice: Notice) -> list[RecipientStatus]:
    """Of a rejection in MDN form: Final-Recipient failed (RFC 8098 3.2.4)."""
    part = notice.mail.leaf(*MDN)
    one = dsn.recipient(fields_of(part) | {"action": Action.FAILED.value}) if part is not None else None
    return [one] if one is not None else []


def _is_statistics(notice: Notice) -> bool:
    """DMARC aggregates (RFC 7489 7.2.1.1), TLS reports (RFC 8460 5.3), log summaries and transcripts."""
    root = notice.mail.root
    if root.parameters.get("report-type", "").lower() == "tlsrpt" or "tls-report-domain" in notice.fields:
        return True
    for leaf in notice.mail.leaves[:20]:
        if leaf.type.startswith("application/tlsrpt"):
            return True
        if "!" in leaf.filename and _DMARC_FILE.search(leaf.filename[:600]):
            return True
    if notice.mail.leaf("message/delivery-status", "message/rfc822"):
        return False
    if notice.mail.leaf(*_AGGREGATE) and "dmarc" in (notice.subject[:500] + notice.from_[:300]).lower():
        return True
    return phrases.hit("report", notice.folded_subject) is not None
