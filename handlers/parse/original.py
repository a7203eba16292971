"""What a notice carries of the message that bounced: as a part, or copied into its text."""

import re

from handlers.parse import headers
from handlers.parse.mime import Mail, Part, cut_headers
from handlers.report import Original

RFC822 = ("message/rfc822", "message/global", "message/partial")
HEADERS = ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/rfc822-header")
KEPT = 64
COPY_BYTES = 1024 * 1024

# Lines behind which a copy of the message stands, as qmail, Exim, Postfix, MMDF, smail, Gmail and others write them.
_MARKER = re.compile(
    r"^[ \t>]{0,4}(?:"
    r"[-=*_+. ]{2,78}[ \t]*(?:(?:below|this is|the|a|start of|begin|your|enclosed|undelivered|returned|unsent|copy)\b[^\n]{0,80})?"
    r"(?:copy of|original|returned|unsent|undelivered|attached|enclosed|bounced|rejected)[^\n]{0,20}(?:message|mail|e-mail|headers?|text|content)[^\n]{0,60}"
    r"|-{2,}[^\n]{0,10}(?:below this line|original message|message header|returned message|headers? follow|unsent message)[^\n]{0,60}"
    r"|(?:the )?(?:original|returned|undelivered) message(?: headers?| text)?(?: follows| is below| below)?[ :.-]{1,40}"
    r"|(?:original|message) headers?[ ]?:?"
    r"|(?:your )?(?:original )?(?:message|mail) (?:headers? )?(?:follows|is (?:included|attached|enclosed|as follows|reproduced))[^\n]{0,40}"
    r"|(?:here is|below is|this is|following is) (?:a copy of )?(?:the|your) (?:\w+ ){0,3}(?:message|mail|header)[^\n]{0,60}"
    r"|(?:first|the first|here are the first) [^\n]{0,20}lines of[^\n]{0,60}"
    r")[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# A copy without a marker line shows by three fields on three lines.
_FIELD = re.compile(
    r"^[ \t>|]{0,6}(return-path|received|message-id|mime-version|date|from|to|subject|x-mailer|dkim-signature|content-type|delivered-to|sender|reply-to)[ ]?:",
    re.IGNORECASE | re.MULTILINE,
)


def of_part(part: Part, where: str) -> Original:
    """From a message/rfc822 or text/rfc822-headers part."""
    data = part.octets(COPY_BYTES)
    return of_headers(cut_headers(data)[0], where)


def of_headers(fields: headers.Headers, where: str) -> Original:
    kept = dict(list(fields.items())[:KEPT])
    return Original(
        where=where,
        message_id=headers.message_id(fields.get("message-id", "")),
        subject=_text(fields, "subject"),
        from_=_text(fields, "from"),
        to=_text(fields, "to"),
        headers={headers.printable(name)[:100]: headers.text(value)[:2000] for name, value in kept.items()},
    )


def _text(fields: headers.Headers, name: str) -> str | None:
    return headers.text(fields.get(name, ""))[:2000] or None


def find_part(mail: Mail) -> Original | None:
    """The first returned part."""
    part = mail.leaf(*RFC822)
    if part is not None and part is not mail.root:
        return of_part(part, "rfc822")
    part = mail.leaf(*HEADERS)
    return of_part(part, "rfc822-headers") if part is not None else None


def cut(text: str) -> tuple[str, Original | None]:
    """The notice's own words, and the copy behind a marker line or from where header fields begin."""
    if ":" not in text:
        return text, None
    for marker in _MARKER.finditer(text):
        fields = _fields_behind(text, marker.end())
        if fields:
            return text[: marker.start()], of_headers(fields, "inline")
    at = _run_of_fields(text)
    if at is None:
        return text, None
    fields = _fields_behind(text, at)
    return (text[:at], of_headers(fields, "inline")) if fields else (text, None)


def _fields_behind(text: str, at: int) -> headers.Headers | None:
    """A header block at `at`, quoted or indented or not; None if what stands there is none."""
    block = text[at : at + headers.BLOCK_BYTES].lstrip("\r\n \t>|-=")
    if not _FIELD.match(block) and not _FIELD.search(block[:300]):
        return None
    lead = re.search(r"\n([ \t>|]{1,6})(?=[A-Za-z-]{2,40}:)", "\n" + text[at : at + 2000])
    if lead:
        block = block.replace("\n" + lead[1], "\n")
    head = block.partition("\n\n")[0]
    fields = headers.split_block(head.encode("utf-8", "replace"))
    known = fields.keys() & {"from", "to", "subject", "date", "message-id", "received", "return-path"}
    return fields if len(known) >= 2 else None


def _run_of_fields(text: str) -> int | None:
    """Where a block begins that has three different header fields, one of them Received or the like."""
    seen: list[tuple[int, str]] = []
    for match in _FIELD.finditer(text):
        seen.append((match.start(), match[1].lower()))
        window = [(at, name) for at, name in seen[-12:] if "\n\n" not in text[at : match.start()]]
        names = {name for _, name in window}
        if len(names) >= 3 and names & {"received", "message-id", "return-path", "mime-version"}:
            return window[0][0]
        if len(seen) > 200:
            return None
    return None
