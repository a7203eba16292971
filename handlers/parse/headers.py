"""Header fields: fast, forgiving, and lossless until a value is asked for.

A block is decoded as Latin-1, which keeps every octet; `text()` turns a value into what its writer meant
(RFC 2047, or raw octets of some charset).
"""

import binascii
import re

from handlers.parse.charset import decode

BLOCK_BYTES = 100 * 1024  # of one header block that are read; Postfix's header_size_limit is 102400 as well
FIELDS = 2000  # a block of more is an attack, real ones have under 100
BLANK = " \t\r"  # all that may be stripped before decoding: to str.strip the octets 85 and A0 are blanks too
FOLD = "\x1e"  # stands for the line break of a folded value
_FOLDED = FOLD + " "

_ENCODED = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]{0,1000})\?=")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_GAP = re.compile(r"\?=[ \t]+=\?")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")

Headers = dict[str, str]


def split_block(block: bytes) -> Headers:
    """Lower-case name -> first value, folds marked by FOLD.

    Lines without a colon are skipped; a space before the colon is allowed (RFC 5322 4.5.2 obs-optional).
    """
    text = block[:BLOCK_BYTES].decode("latin-1").replace("\n ", _FOLDED).replace("\n\t", _FOLDED)
    fields: Headers = {}
    for line in text.split("\n", FIELDS)[:FIELDS]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip(BLANK))
    return fields


def unfold(value: str) -> str:
    """RFC 5322 2.2.3: the line break goes, the white space stays."""
    return value.replace(FOLD, "") if FOLD in value else value


def text(value: str) -> str:
    """What a field says: unfolded, RFC 2047 words and raw octets decoded, no control characters."""
    if FOLD in value:
        value = value.replace(FOLD, "")
    if value.isascii():
        if value.isprintable() and "=?" not in value:
            return value
        if "\x1b" in value:
            value = decode(value.encode())[0]
    else:
        value = decode(value.encode("latin-1", "replace"))[0]
    if "=?" in value:
        value = _words(value)
    return printable(value)


def printable(value: str) -> str:
    """One line: control characters become spaces (PostgreSQL's text cannot hold NUL, nobody can hold half a pair)."""
    return value if value.isprintable() else _CONTROL.sub(" ", value).strip()


def _words(value: str) -> str:
    """RFC 2047: neighbouring words of one charset are joined before decoding, since many split a character."""
    value = _GAP.sub("?==?", value)
    out: list[str] = []
    pending, label, end = b"", "", 0
    for word in _ENCODED.finditer(value):
        if word.start() != end or word[1].lower() != label:
            out += decode(pending, label)[0], value[end : word.start()]
            pending, label = b"", word[1].lower()
        pending += _octets(word[2], word[3])
        end = word.end()
    out += decode(pending, label)[0], value[end:]
    return "".join(out)


def _octets(encoding: str, payload: str) -> bytes:
    data = payload.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data, header=True)
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return data


def message_ids(value: str, most: int = 100) -> tuple[str, ...]:
    """Message-IDs with angle brackets (RFC 5322 3.6.4), the last `most` of them: the newest are the nearest."""
    if not value:
        return ()
    return tuple(_MESSAGE_ID.findall(printable(unfold(value))[-BLOCK_BYTES:])[-most:])


def message_id(value: str) -> str | None:
    """One Message-ID with brackets; one that lacks them gets them, what is no identifier is None."""
    if not value:
        return None
    found = message_ids(value, 1)
    if found:
        return found[0]
    bare = printable(unfold(value)).strip("<> ")
    return f"<{bare}>" if "@" in bare and " " not in bare and len(bare) < 900 else None
