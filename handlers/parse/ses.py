"""Amazon SES notices that come by mail through SNS: one JSON object (SES developer guide, "Notification contents")."""

import json
import re
from collections.abc import Mapping

from handlers.parse import dsn, reply
from handlers.parse.notice import Notice
from handlers.report import RecipientStatus
from handlers.words import Action, Kind

_NAME = re.compile(r'"(?:notification|event)Type"')
_KINDS = {"bounce": Kind.FAILURE, "complaint": Kind.COMPLAINT, "delivery": Kind.SUCCESS, "deliverydelay": Kind.DELAY}
_LISTS = {
    Kind.FAILURE: ("bounce", "bouncedRecipients"),
    Kind.SUCCESS: ("delivery", "recipients"),
    Kind.DELAY: ("deliveryDelay", "delayedRecipients"),
}
_ACTIONS = {Kind.FAILURE: Action.FAILED, Kind.SUCCESS: Action.DELIVERED, Kind.DELAY: Action.DELAYED}


def read(notice: Notice) -> tuple[Kind, list[RecipientStatus]] | None:
    """Kind and recipients; None if the text is no such object."""
    text = notice.whole_text.lstrip()
    if not text.startswith("{") or not _NAME.search(text[:200]):
        return None
    try:
        data, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return None
    what = _KINDS.get(str(data.get("notificationType") or data.get("eventType") or "").lower())
    if what is None:
        return None
    return what, [one for one in (_one(row, what) for row in _rows(data, what)) if one is not None]


def _rows(data: Mapping[str, object], what: Kind) -> list[object]:
    outer, inner = _LISTS.get(what, ("", ""))
    part = data.get(outer)
    rows = part.get(inner) if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(rows, list):
        return []
    response = part.get("smtpResponse", "")
    plain = [{"emailAddress": r, "diagnosticCode": response} if isinstance(r, str) else r for r in rows]
    return plain[: dsn.RECIPIENTS]


def _one(row: object, what: Kind) -> RecipientStatus | None:
    if not isinstance(row, dict):
        return None
    address = dsn.address(str(row.get("emailAddress") or ""))
    if not address:
        return None
    kind, diagnostic = dsn.diagnostic_code(str(row.get("diagnosticCode") or "").encode().decode("latin-1"))
    code, literal = reply.read(diagnostic)
    field = reply.status_of_field(str(row.get("status") or ""))
    return RecipientStatus(
        final_recipient=address,
        action=dsn.action(str(row.get("action") or "")) or _ACTIONS[what],
        status=reply.decide(field, literal),
        status_field=field,
        smtp_code=code,
        diagnostic_type=kind,
        diagnostic_code=diagnostic or None,
    )
