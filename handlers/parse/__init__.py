"""Bytes to Report: what a capture says, told in the words of RFC 3464. Broken mail is a value, never an exception."""

from collections.abc import Iterable
from dataclasses import replace

from handlers.parse import addresses, dialect, dsn, headers, kind, reply, sendmail, ses, suggestion, text_report, typed
from handlers.parse.notice import Notice
from handlers.report import RecipientStatus, Report
from handlers.words import Action, Kind, NoticeForm

TEXT_KEPT = 16 * 1024
BOUNCES = frozenset({Kind.FAILURE, Kind.DELAY, Kind.SUCCESS})


def parse(raw: bytes, reverse_path: str | None = None) -> Report:
    """Read one mail.

    `reverse_path` is the envelope's ("" for the null one); None means unknown, then a Return-Path field counts.
    """
    notice = Notice(raw, reverse_path)
    return _dsn(notice) or _typed(notice) or _text(notice)


def _typed(notice: Notice) -> Report | None:
    what = typed.kind(notice)
    if what is None:
        return None
    if what is Kind.FAILURE:
        found = text_report.complete(notice, typed.recipients(notice))
        return report(notice, what, "rfc5429", recipients=found)
    return report(notice, what, "typed")


def _dsn(notice: Notice) -> Report | None:
    parts = [leaf for leaf in notice.mail.leaves if leaf.type in dsn.TYPES]
    if not parts:
        return None
    if not notice.signs.hard_role:
        if notice.signs.prefix("forward"):
            return None  # a client that forwards inline keeps the parts as attachments
        if notice.signs.asks:
            return report(notice, Kind.CHALLENGE, "rfc3464")  # some challenges come in the form of a DSN
    message, groups = dsn.groups(parts)
    found = dsn.recipients(groups)
    if not found and (groups or "diagnostic-code" in message):  # it reports on somebody, but names nobody
        found = [dsn.told(one, message) for one in text_report.recipients(notice, Kind.FAILURE)]
    if not found:
        return None
    found = text_report.complete(notice, found)
    if sendmail.MARK in notice.text:
        with_codes = sendmail.coded(notice.text)
        found = [sendmail.sober(one, with_codes) for one in found]
    what, found = _settled(notice, found)
    return report(notice, what, "rfc3464", recipients=found, **_message_fields(message))


def _message_fields(message: headers.Headers) -> dict[str, str | None]:
    """RFC 3464 2.2."""
    return {
        "reporting_mta": dsn.host(message.get("reporting-mta", "")),
        "dsn_gateway": dsn.typed(message.get("dsn-gateway", "")),
        "received_from_mta": dsn.host(message.get("received-from-mta", "")),
        "original_envelope_id": dsn.envelope_id(message.get("original-envelope-id", "")),
        "arrival_date": headers.text(message.get("arrival-date", ""))[:100] or None,
    }


def _settled(notice: Notice, found: list[RecipientStatus]) -> tuple[Kind, list[RecipientStatus]]:
    """Failure before delay before success: the worst that happened to anybody. Words settle what no Action says."""
    found = [_expired(notice, one) for one in found]
    actions = {one.action for one in found}
    if Action.FAILED in actions:
        return Kind.FAILURE, found
    if Action.DELAYED in actions:
        expired = any(one.status is None or one.status.endswith(".4.7") for one in found)  # RFC 3463 3.5
        refused = any((one.smtp_code or 0) >= 500 for one in found)  # a word of the subject makes no hard bounce of it
        if not (expired and kind.gave_up(notice)) and (refused or not kind.returned(notice)):
            return Kind.DELAY, found
        notice.faults.append("action_contradicts_text")
        return Kind.FAILURE, [replace(one, action=Action.FAILED) for one in found]
    if actions & {Action.DELIVERED, Action.RELAYED, Action.EXPANDED}:
        return Kind.SUCCESS, found
    return kind.failure_or_delay(notice), found


def _expired(notice: Notice, one: RecipientStatus) -> RecipientStatus:
    """OpenSMTPD's last notice says "delayed", 4.4.7 (RFC 3463 3.5, delivery time expired) and "Envelope expired"."""
    if one.action is not Action.DELAYED or not (one.status or "").endswith(".4.7"):
        return one
    if not kind.says_final(one.diagnostic_code or ""):
        return one
    notice.faults.append("action_contradicts_text")
    return replace(one, action=Action.FAILED)


def _with_class(one: RecipientStatus) -> RecipientStatus:
    """`status_field` stays as it was written: none here."""
    return one if one.status else replace(one, status=reply.class_of(one.smtp_code))


def _text(notice: Notice) -> Report:
    told = ses.read(notice)
    if told is not None:
        return report(notice, told[0], "ses", recipients=told[1])
    what = kind.of_text(notice)
    if what not in BOUNCES:
        return report(notice, what, "text")
    message, found = text_report.embedded(notice)
    found = found or text_report.recipients(notice, what)
    return report(notice, what, dialect.recognise(notice), recipients=found, **_message_fields(message))


def report(
    notice: Notice, what: Kind, reader: str, recipients: Iterable[RecipientStatus] = (), **fields: object
) -> Report:
    """The fields that every mail has, and those its reader adds."""
    original = notice.original if what is not Kind.OTHER else None  # a person's forward proves nothing
    form = NoticeForm.TEXT if original else NoticeForm.SEPARATE
    if reader == "rfc3464":
        form = NoticeForm.DSN
    return Report(
        kind=what,
        notice_form=form if what in BOUNCES else None,
        original=original,
        in_reply_to=headers.message_ids(notice.fields.get("in-reply-to", "")),
        references=headers.message_ids(notice.fields.get("references", "")),
        addresses_in_text=addresses.each_once(notice.addresses),
        subject=notice.subject,
        from_=notice.from_,
        message_id=headers.message_id(notice.fields.get("message-id", "")),
        date=notice.header("date")[:100] or None,
        dialect=reader,
        gateway=notice.signature.product if notice.signature else None,
        language=notice.language,
        text=notice.text[:TEXT_KEPT].strip(),
        suggestion=suggestion.suggest(notice, what),
        faults=tuple(dict.fromkeys(notice.faults)),
        recipients=tuple(map(_with_class, recipients)),
        **fields,  # type: ignore[arg-type]
    )
