"""Where an address is named: as such, and not as a part of a longer one; in any spelling that mail has for it."""

import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from storage.columns import address_key

_LINES = re.compile(rb"(?:^[A-Za-z0-9+/]{4,}={0,2}[ \t]*(?:\r?\n|\Z))+", re.MULTILINE)  # RFC 2045 6.8
_WORD = re.compile(rb"=\?[^?\s]{1,60}\?b\?([A-Za-z0-9+/=]{4,})\?=", re.IGNORECASE)  # RFC 2047 2
_SAFE = re.compile(r"[^a-z0-9@.-]+")


@lru_cache(maxsize=4)  # of one erasure: no address may stay in memory
def naming(address: str) -> re.Pattern[str]:
    """Finds the address in text in lower case: also in a URL (%40), and in a return path of XVERP (ann=example.com@).

    What stands before an equals sign is passed over: BATV, SRS and URLs write an address behind one.
    """
    local, _, domain = map(re.escape, address_key(address).rpartition("@"))
    return re.compile(rf"(?<![\w.+\ufffd-]){local}(?:@|%40){domain}(?![\w-]|\.\w)|\+{local}={domain}(?=@)")


def is_named(address: str, value: Any) -> bool:
    """Whether a text, or one in a document, names the address."""
    pattern = naming(address)
    return any(pattern.search(text.lower()) for text in _texts(value))


def is_named_in_mail(address: str, raw: bytes) -> bool:
    """Whether the octets of a mail name the address, also in quoted-printable or base64."""
    pattern = naming(address)
    return any(pattern.search(octets.decode("utf-8", "replace").lower()) for octets in _readings(raw))


def longest_run(address: str) -> str:
    """A part of the address that every database compares alike, to search by."""
    return max(_SAFE.split(address_key(address)), key=len)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _readings(raw: bytes) -> Iterator[bytes]:
    yield raw
    if b"=" in raw:
        yield binascii.a2b_qp(raw)
    for found in _LINES.finditer(raw):
        yield _base64(found[0])
    for found in _WORD.finditer(raw):
        yield _base64(found[1])


def _base64(text: bytes) -> bytes:
    """What can be read of it: what is no base64 has no octets that count."""
    letters = b"".join(text.split()).rstrip(b"=")
    try:
        return binascii.a2b_base64(letters[: len(letters) // 4 * 4] + _tail(letters))
    except binascii.Error:
        return b""


def _tail(letters: bytes) -> bytes:
    left = letters[len(letters) // 4 * 4 :]
    return left + b"=" * (4 - len(left)) if len(left) > 1 else b""
