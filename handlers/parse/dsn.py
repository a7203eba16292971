"""message/delivery-status (RFC 3464 2, RFC 6533 3), in every broken form that is sent."""

import re
from dataclasses import replace

from handlers.parse import reply
from handlers.parse.headers import BLANK, FOLD, Headers, printable, text, unfold
from handlers.parse.mime import Part
from handlers.report import RecipientStatus
from handlers.words import Action

TYPES = ("message/delivery-status", "message/global-delivery-status", "message/xdelivery-status")
RECIPIENTS = (
    2000  # kept; Postfix takes at most 1000 a session (smtpd_recipient_limit), none is over that by honest means
)
STATUS_BYTES = 1024 * 1024
DIAGNOSTIC = 4096  # characters kept of one Diagnostic-Code; RFC 5321 4.5.3.1.5 allows 512 a line
_FIELD = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9-]{0,60}"
    r"|[ \t]{1,8}(?i:final-recipient|original-recipient|action|status|remote-mta|diagnostic-code))"  # some indent them
    r"[ \t]{0,4}:"
)
_OCTAL = re.compile(r"\\([23][0-7]{2})")
_FOLDED = re.compile(r"[ \t]{0,20}" + FOLD + r"[ \t]{0,80}")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UNICODE = re.compile(r"\\x\{(10|[0-9A-F]{2,5}|10[0-9A-F]{4})\}")
_PER_MESSAGE = frozenset(  # RFC 3464 2.2
    {"reporting-mta", "dsn-gateway", "received-from-mta", "original-envelope-id", "arrival-date"}
)
_ACTIONS = {a.value: a for a in Action} | {
    "failure": Action.FAILED,
    "fail": Action.FAILED,
    "delay": Action.DELAYED,
    "deliverable": Action.DELIVERED,
    "expand": Action.EXPANDED,
    "relay": Action.RELAYED,
}


def groups(parts: list[Part]) -> tuple[Headers, list[Headers]]:
    """The per-message fields, and one set of fields a recipient, of the delivery-status parts (mostly there is one)."""
    return groups_of("\n\n".join(part.octets(STATUS_BYTES).decode("latin-1") for part in parts))


def groups_of(text: str) -> tuple[Headers, list[Headers]]:
    """The same of text.

    Groups end at an empty line, and at a second Final-Recipient or Action where that line is missing.
    """
    message: Headers = {}
    recipients: list[Headers] = []
    current: Headers = {}
    for name, value in _fields(text):
        if not name or (name in current and name in {"final-recipient", "action"}):
            _close(current, message, recipients)
            current = {}
        if name:
            current.setdefault(name, value)
        if len(recipients) >= RECIPIENTS:
            return message, recipients
    _close(current, message, recipients)
    return message, recipients


def _close(current: Headers, message: Headers, recipients: list[Headers]) -> None:
    if not current:
        return
    if "final-recipient" in current or "original-recipient" in current:
        for name in _PER_MESSAGE & current.keys():  # no empty line behind them
            message.setdefault(name, current.pop(name))
        recipients.append(current)
    elif recipients and not _PER_MESSAGE & current.keys():
        for name, value in current.items():  # a group torn by an empty line
            recipients[-1].setdefault(name, value)
    else:
        for name, value in current.items():
            message.setdefault(name, value)


def _fields(data: str) -> list[tuple[str, str]]:
    """Field by field; ("", "") for an empty line. A line that is neither field nor fold continues the one before."""
    fields: list[tuple[str, str]] = []
    for line in data.split("\n", 50_000)[:50_000]:
        if _FIELD.match(line):
            name, _, value = line.partition(":")
            fields.append((name.strip().lower(), value.strip(BLANK)))
        elif not line.strip(BLANK):
            fields.append(("", ""))
        elif fields and fields[-1][0]:
            name, value = fields[-1]
            if len(value) < 2 * DIAGNOSTIC:
                fields[-1] = name, value + FOLD + (line if line[0] in BLANK else " " + line)
    return fields


def recipients(found: list[Headers]) -> list[RecipientStatus]:
    out = []
    for fields in found:
        one = recipient(fields)
        if one is not None:
            out.append(one)
    return out


def recipient(fields: Headers) -> RecipientStatus | None:
    """One per-recipient group; None where it names nobody."""
    final = address(fields.get("final-recipient", ""))
    original = address(fields.get("original-recipient", ""))
    if not final and not original:
        return None
    kind, diagnostic = diagnostic_code(fields.get("diagnostic-code", ""))
    code, literal = reply.read(diagnostic) if diagnostic else (None, None)
    status_text = text(fields.get("status", ""))
    status_field = reply.status_of_field(status_text)
    if code is None:  # some put the reply into the Status field: "5.1.1 (550 no such user)"
        code = reply.read(status_text)[0]
    return RecipientStatus(
        final_recipient=final or original or "",
        original_recipient=original,
        action=action(fields.get("action", "")),
        status=reply.decide(status_field, literal),
        status_field=status_text[:100] or None,
        smtp_code=code,
        diagnostic_type=kind,
        diagnostic_code=diagnostic or None,
        remote_mta=host(fields.get("remote-mta", "")),
        last_attempt_date=text(fields.get("last-attempt-date", ""))[:100] or None,
        will_retry_until=text(fields.get("will-retry-until", ""))[:100] or None,
        final_log_id=text(fields.get("final-log-id", ""))[:200] or None,
    )


def told(one: RecipientStatus, fields: Headers) -> RecipientStatus:
    """A recipient of the text, with what fields that name nobody say of all (slimta)."""
    said = recipient({**fields, "final-recipient": one.final_recipient})
    if said is None or said.diagnostic_code is None:
        return one
    return replace(
        said,
        action=said.action or one.action,
        status=said.status or one.status,
        smtp_code=said.smtp_code or one.smtp_code,
        original_recipient=one.original_recipient,
    )


def action(value: str) -> Action | None:
    """RFC 3464 2.3.3, without a comment, in any case."""
    word = text(value).partition("(")[0].partition(";")[0].strip().lower()
    return _ACTIONS.get(word) or _ACTIONS.get(word.split(" ")[0])


def typed(value: str) -> str | None:
    """The value behind "dns;" (RFC 3464 2.1.2); a type that is missing is missed by many."""
    if not value:
        return None
    value = text(value)
    return (value.partition(";")[2] if ";" in value else value).strip()[:255] or None


def host(value: str) -> str | None:
    """The name of an MTA without the comments, addresses and ports that some print behind it."""
    name = typed(value)
    if name is None:
        return None
    name = name.partition(" ")[0].partition("(")[0]
    if name.count(":") == 1:  # not of an IPv6 address
        name = name.partition(":")[0]
    return name.rstrip(".") or None


def address(value: str) -> str | None:
    """A bare address out of "rfc822; <user@host> (comment)"; utf-8 and xtext forms decoded (RFC 6533 3, RFC 3461 4)."""
    if not value:
        return None
    raw = unfold(value)
    if not raw.isascii():
        raw = text(raw)
    kind, semicolon, bare = raw.strip().removeprefix("<").partition(";")
    if not semicolon:
        kind, bare = "", raw
    elif "@" in kind:
        kind, bare = "", kind
    bare = bare.strip().removeprefix(";").strip()
    if bare[:7].lower() == "rfc822;":  # the type said twice
        bare = bare[7:].strip()
    if "<" in bare and ">" in bare:
        bare = bare[bare.rfind("<") + 1 : bare.rfind(">")]
    bare = printable(bare).strip(" <>").removeprefix("mailto:")
    bare = bare.partition(" (")[0].strip()
    if kind.strip().lower() == "utf-8":
        bare = _UNICODE.sub(lambda m: _character(int(m[1], 16)), bare)
    if "+" in bare and ("+2B" in bare or "+3D" in bare or "+40" in bare) and len(bare) < 1000:
        bare = xtext(bare)
    return None if bare.startswith("@") else bare[:320] or None


def _character(point: int) -> str:
    return chr(point) if point < 0xD800 or 0xE000 <= point <= 0x10FFFF else "\ufffd"


def xtext(value: str) -> str:
    """RFC 3461 4: "+2B" is "+", "+3D" is "=". Postfix decodes it, Exim leaves it as it is."""
    return printable(_XTEXT.sub(lambda m: chr(int(m[1], 16)), value))


def diagnostic_code(value: str) -> tuple[str | None, str]:
    """(type, text) of a Diagnostic-Code, RFC 3464 2.3.6; the type is often missing."""
    if not value:
        return None, ""
    if FOLD in value:
        word = "" if value[:7].lower() == "x-notes" else " "  # Domino folds within words
        value = _FOLDED.sub(word, value)
    if "\\" in value:
        value = _OCTAL.sub(lambda m: chr(int(m[1], 8)), value)  # Exim prints what is not ASCII so
    value = text(value)
    kind, semicolon, rest = value.partition(";")
    kind = kind.strip()
    if semicolon and 0 < len(kind) <= 20 and " " not in kind and not kind[0].isdigit():
        return kind.lower(), reply.one_line(rest.strip()[:DIAGNOSTIC])
    return None, reply.one_line(value[:DIAGNOSTIC])


def envelope_id(value: str) -> str | None:
    """Original-Envelope-Id (RFC 3464 2.2.1), xtext decoded."""
    bare = text(value).strip()[:500]
    return xtext(bare) or None if bare else None
