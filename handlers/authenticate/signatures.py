"""DKIM (RFC 6376) and ARC (RFC 8617): who signed. The only file that knows dkimpy.

Its traps are cured here: patterns that are quadratic on hostile bytes, key lookups without end, failures of
DNS that read as bad signatures.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dkim
import dkim.canonicalization

from handlers.authenticate.lookups import Limits, Lookups
from handlers.ports import LookupFailed, NoSuchName


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM-Signature, with its result in the words of RFC 8601 2.7.1."""

    domain: str
    selector: str
    result: str


class _Relaxed:
    """RFC 6376 3.4.4 in linear time: dkimpy's own needs half an hour for a megabyte of spaces."""

    name = b"relaxed"
    canonicalize_headers = staticmethod(dkim.canonicalization.Relaxed.canonicalize_headers)

    @staticmethod
    def canonicalize_body(body: bytes) -> bytes:
        squeezed = _GAPS.sub(b" ", body).replace(b" \r\n", b"\r\n")
        lines = dkim.canonicalization.strip_trailing_lines(squeezed)
        return bytes(dkim.canonicalization.correct_empty_body(lines))


_GAPS = re.compile(rb"[ \t]{2,}|\t")
dkim.canonicalization.ALGORITHMS[b"relaxed"] = _Relaxed

_SILENT = logging.Logger("dkimpy", logging.CRITICAL + 1)  # results are values, nothing goes to a log
_LONG_GAP = re.compile(rb"\s{64}")  # dkimpy's patterns for signatures are quadratic in these
_MOST_SIGNED_FIELDS = 256


class _NoKey(Exception):
    """There is no usable key record. Not dkimpy's own exception, which it swallows."""


def _verifier(kind: Any, head: bytes, body: bytes, limits: Limits) -> Any:
    """dkim.DKIM or dkim.ARC for this mail, None where it is too much or no mail."""
    if len(head) > limits.header_octets or len(body) > limits.body_octets:
        return None
    try:
        verifier = kind(head, logger=_SILENT, minkey=limits.key_bits)
    except Exception:  # MessageFormatError, and IndexError for a block that starts with a blank
        return None
    verifier.body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # as dkimpy reads it, but quickly
    return verifier if len(verifier.headers) <= limits.header_fields else None


def _key_lookup(lookups: Lookups, limits: Limits) -> Callable[..., bytes]:
    def key(name: bytes, timeout: float = 0) -> bytes:
        try:
            texts = lookups.txt(name.decode("utf-8").removesuffix("."))
        except (NoSuchName, UnicodeError) as absent:
            raise _NoKey from absent
        if not texts or len(texts[0]) > limits.key_octets:
            raise _NoKey
        try:
            dkim.evaluate_pk(name, texts[0])  # RFC 6376 3.6.2.2: of several the first is as good as any
        except Exception as unusable:  # an empty p= revokes (6.1.2); dkimpy would call all this a bad signature
            raise _NoKey from unusable
        return texts[0]

    return key


def check_dkim(head: bytes, body: bytes, lookups: Lookups, limits: Limits) -> tuple[Signature, ...]:
    """RFC 6376 6.1: the first signatures from the top, as many as the limits allow."""
    verifier = _verifier(dkim.DKIM, head, body, limits)
    if verifier is None:
        return (Signature("", "", "neutral"),)
    values = [value for name, value in verifier.headers if name.lower() == b"dkim-signature"]
    key = _key_lookup(lookups, limits)
    return tuple(
        _verify(verifier, index, key, limits, value) for index, value in enumerate(values[: limits.signatures])
    )


def _verify(verifier: Any, index: int, key: Callable[..., bytes], limits: Limits, value: bytes) -> Signature:
    if not _harmless(value, limits):
        return Signature("", "", "neutral")
    try:
        tags, signed_fields, _ = verifier.verify_headerprep(index)
        domain, selector = (tags[tag].decode("ascii", "replace") for tag in (b"d", b"s"))
    except Exception:  # RFC 8601 2.7.1: syntax errors are neutral; dkimpy has a dozen ways to say so
        return Signature("", "", "neutral")
    result = _refused(tags, signed_fields)
    return Signature(domain, selector, result or _verified(verifier, index, key))


def _harmless(value: bytes, limits: Limits) -> bool:
    return len(value) <= limits.signature_octets and not _LONG_GAP.search(value)


def _refused(tags: dict[bytes, bytes], signed_fields: list[bytes]) -> str | None:
    """Signatures that dkimpy would take and we do not."""
    if len(signed_fields) > _MOST_SIGNED_FIELDS:
        return "neutral"
    if b"from" not in signed_fields:  # RFC 6376 5.4, 6.1.1
        return "permerror"
    if tags[b"a"] == b"rsa-sha1" or b"l" in tags:  # RFC 8301 3.1; RFC 6376 8.2: anything could be appended
        return "policy"
    return None


def _verified(verifier: Any, index: int, key: Callable[..., bytes]) -> str:
    try:
        return "pass" if verifier.verify(idx=index, dnsfunc=key) else "fail"
    except LookupFailed:
        return "temperror"
    except dkim.ValidationError:  # the body hash
        return "fail"
    except (_NoKey, dkim.DKIMException):
        return "permerror"
    except Exception:  # a key record that breaks dkimpy's ASN.1 reader
        return "permerror"


_BEST_FIRST = ("pass", "temperror", "fail", "permerror", "policy", "neutral")


def overall(signatures: tuple[Signature, ...]) -> str:
    results = {signature.result for signature in signatures}
    return next((word for word in _BEST_FIRST if word in results), "none")


def check_arc(head: bytes, body: bytes, lookups: Lookups, limits: Limits) -> str:
    """RFC 8617 5.2: "none", "pass" or "fail" for the chain; "temperror" where DNS failed."""
    verifier = _verifier(dkim.ARC, head, body, limits)
    if verifier is None:
        return "fail"
    chain = [(name.lower(), value) for name, value in verifier.headers if name.lower() in dkim.ARC.ARC_HEADERS]
    seals = sum(name == b"arc-seal" for name, _ in chain)
    if seals > limits.arc_sets or not all(_harmless(value, limits) for _, value in chain):
        return "fail"
    try:
        result, _, _ = verifier.verify(dnsfunc=_key_lookup(lookups, limits))
    except LookupFailed:
        return "temperror"
    except Exception:  # whatever breaks dkimpy breaks the chain
        return "fail"
    return "pass" if result == dkim.CV_Pass else "fail"
