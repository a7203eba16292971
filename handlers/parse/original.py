"""What a notice carries of the message that bounced: as a part, or copied into its text."""

import re
from collections.abc import Iterator
from itertools import islice

from handlers.parse import headers
from handlers.parse.mime import Mail, Part, cut_headers
from handlers.report import Original

RFC822 = ("message/rfc822", "message/global", "message/partial")
HEADERS = ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/rfc822-header")
KEPT = 64
COPY_BYTES = 1024 * 1024
MARKER_LINE = 100  # characters; a longer line is a sentence

# Lines above a copy of the message, as qmail, Exim, Postfix, MMDF, smail, Gmail and others write them.
_MARKER = re.compile(
    r"(?:copy of|original|returned|unsent|undelivered|attached|enclosed|bounced|rejected|below this line"
    r"|first|beginning of the)\b[^\n]{0,60}\b"
    r"(?:message|mail(?! (?:server|system))|e-mail|headers?|text|content|lines)\b"
    r"|\b(?:message|mail|headers?)\b[^\n]{0,20}\b(?:follows?|is below|included here|attached|headers?)\b"
    r"|\b(?:original|oorspronkelijk|urspr\u00fcngliche|mensaje original|message d'origine|messaggio originale)"
    r"|\u5143\u306e\u30e1\u30c3\u30bb\u30fc\u30b8|\u539f\u59cb|\u90ae\u4ef6\u539f\u6587|\uc6d0\ubcf8",
    re.IGNORECASE,
)
_SOME_FIELDS = re.compile(r"\bheader (?:fields|lines):?\s{0,9}\Z", re.IGNORECASE)  # of which the notice goes on behind
_RULE = re.compile(r"[-=*_+.]{3,}")
# Fields of a copied header.
_FIELD = re.compile(
    r"\n[ \t>|]{0,6}(return-path|received|message-id|mime-version|date|from|to|subject|x-mailer|dkim-signature"
    r"|content-type|delivered-to|sender|reply-to|x-[a-z-]{2,40}|arc-seal)[ ]?:",
    re.IGNORECASE,
)
_STRONG = frozenset({"received", "message-id", "return-path", "mime-version", "dkim-signature", "arc-seal"})
_RAW = frozenset({"received", "return-path", "mime-version", "content-type", "dkim-signature"})  # else a summary
_KNOWN = frozenset({"from", "to", "subject", "date", "message-id", "received", "return-path"})
_FIELDS_SEEN = 400


def of_part(part: Part, where: str) -> Original:
    """From a message/rfc822 or text/rfc822-headers part."""
    data = part.octets(COPY_BYTES)
    return of_headers(cut_headers(data)[0], where)


def of_headers(fields: headers.Headers, where: str) -> Original:
    text = headers.text
    return Original(
        where=where,
        message_id=headers.message_id(fields.get("message-id", "")),
        subject=_text(fields, "subject"),
        from_=_text(fields, "from"),
        to=_text(fields, "to"),
        headers={
            name[:100]: value if value.isprintable() and value.isascii() and "=?" not in value else text(value[:2000])
            for name, value in islice(fields.items(), KEPT)
            if name.isprintable()
        },
    )


def _text(fields: headers.Headers, name: str) -> str | None:
    return headers.text(fields.get(name, "")[:4000])[:2000] or None


def find_part(mail: Mail) -> Original | None:
    """The first returned part."""
    part = mail.leaf(*RFC822)
    if part is not None and part is not mail.root:
        return of_part(part, "rfc822")
    part = mail.leaf(*HEADERS)
    if part is not None:
        return of_part(part, "rfc822-headers")
    attached = (leaf for leaf in mail.leaves[1:10] if leaf.type == "application/octet-stream")
    part = next((leaf for leaf in attached if leaf.filename.lower().endswith(".eml")), None)
    return of_part(part, "rfc822") if part is not None else None


def cut(text: str) -> tuple[str, Original | None]:
    """The notice's own words, and the message's header where it is copied into the text.

    Three fields in a row are such a copy if one is of the sort that only mail software writes, or if a line above
    says so.
    """
    for start, names in _runs(text):
        above = _marker_above(text, start)
        if len(names) < 3 or (above is None and not names & _STRONG):
            continue
        fields = _fields_at(text, start)
        if len(fields.keys() & _KNOWN) >= 2:
            some = _SOME_FIELDS.search(text, max(0, start - MARKER_LINE), start) is not None
            rest = text[start:].partition("\n\n")[2] if some or (above is None and not names & _RAW) else ""
            return text[: start if above is None else above] + rest, of_headers(fields, "inline")
    return text, None


def _runs(text: str) -> Iterator[tuple[int, set[str]]]:
    """(start, names) of neighbouring fields without an empty line between."""
    start, end, names = -1, 0, set[str]()
    for number, match in enumerate(_FIELD.finditer("\n" + text)):  # one character more in front
        if number > _FIELDS_SEEN:
            return
        line = match.start()
        if start >= 0 and "\n\n" in text[end : line + 1]:
            yield start, names
            start = -1
        if start < 0:
            start, names = line, set()
        names.add(match[1].lower())
        end = match.end() - 1
    if start >= 0:
        yield start, names


def _marker_above(text: str, start: int) -> int | None:
    """Where the lines begin that announce a copy: up to four right above, the first must say so or be a rule."""
    found, position = None, start
    for _ in range(4):
        above = text[max(0, position - 300) : position].rstrip()
        if not above:
            break
        line_start = max(0, position - 300) + above.rfind("\n") + 1
        line = text[line_start:position].strip()
        ruled = _RULE.match(line)
        if len(line) > MARKER_LINE or (found is not None and not ruled):
            break
        if _MARKER.search(line):
            found = line_start
        elif not ruled:
            break
        position = line_start
    return found


def _fields_at(text: str, at: int) -> headers.Headers:
    """The header block that begins at `at`, quoted or indented or not."""
    block = text[at : at + headers.BLOCK_BYTES]
    lead = _LEAD.match(block)
    if lead and lead[0]:
        block = block[lead.end() :].replace("\n" + lead[0], "\n")
    return headers.split_block(block.lstrip().partition("\n\n")[0].encode("utf-8", "replace"))


_LEAD = re.compile(r"[ \t>|]{0,6}")
