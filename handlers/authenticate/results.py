"""Authentication-Results (RFC 8601): state ours, strip what others state in our name. Only this knows authres."""

import re
from functools import lru_cache

import authres
import authres.arc
import authres.dmarc

from handlers import dmarc
from handlers.authenticate.sender import Sender
from handlers.authenticate.signatures import Signature

_EMPTY_LINE = re.compile(rb"\n\r?\n")
_UNSAFE = re.compile(r"[^A-Za-z0-9._:\[\]/+=-]")
_NAMED = re.compile(rb"authentication-results[ \t]*:", re.IGNORECASE)
_ESCAPED = re.compile(rb"\\[()\\]")
_PARENTHESIS = re.compile(rb"([()])")


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Header block and body at the first empty line; the body may be missing (RFC 5322 2.1)."""
    if raw[:1] in (b"\r", b"\n"):
        return b"", raw
    end = _EMPTY_LINE.search(raw)
    return (raw[: end.start() + 1], raw[end.end() :]) if end else (raw, b"")


def _clean(value: str) -> str:
    """authres copies values as they are: CR, LF, quotes or ";" would end the field or forge a result."""
    return _UNSAFE.sub("?", value[:255])


@lru_cache(maxsize=256)  # authres takes its time, and a host that reports does so many times
def header(
    authserv_id: str, sender: Sender, signatures: tuple[Signature, ...], arc: str, verdict: dmarc.Verdict
) -> bytes:
    """RFC 8601 2.2, a result a line."""
    results = [authres.SPFAuthenticationResult(result=sender.result, **{sender.property: _clean(sender.domain)})]
    results += [
        authres.DKIMAuthenticationResult(result=s.result, header_d=_clean(s.domain), header_s=_clean(s.selector))
        for s in signatures or (Signature("", "", "none"),)
    ]
    results.append(authres.arc.ARCAuthenticationResult(result=arc))
    results.append(
        authres.dmarc.DMARCAuthenticationResult(
            result=verdict.result, header_from=_clean(verdict.author), policy=verdict.policy
        )
    )
    header = authres.AuthenticationResultsHeader(authserv_id=_clean(authserv_id), results=results)
    return str(header).replace("; ", ";\r\n\t").encode("ascii") + b"\r\n"


def strip_forged(raw: bytes, authserv_id: str) -> bytes:
    """The mail without the Authentication-Results fields that it brought under our name (RFC 8601 5).

    A bare CR counts as a line end, as some readers have it.
    """
    head, _ = split(raw)
    if b"authentication-results" not in head.lower():
        return raw
    kept = []
    for field in _fields(head):
        named = _NAMED.match(field)
        if not named or _claimed(field[named.end() :]) != authserv_id.lower().encode():
            kept.append(field)
    return b"".join(kept) + raw[len(head) :]


def _fields(head: bytes) -> list[bytes]:
    """Header fields with their folded lines and line ends."""
    fields: list[list[bytes]] = []
    for line in head.splitlines(keepends=True):
        if fields and line[:1] in (b" ", b"\t"):
            fields[-1].append(line)
        else:
            fields.append([line])
    return [b"".join(lines) for lines in fields]


def _claimed(body: bytes) -> bytes:
    """The authserv-id of a field body, past comments, quotes and folds (RFC 8601 2.2)."""
    words = _without_comments(body).partition(b";")[0].split()
    return words[0].replace(b"\\", b"").strip(b'"').lower().removesuffix(b".") if words else b""


def _without_comments(body: bytes) -> bytes:
    """However deep they nest (RFC 5322 3.2.2)."""
    depth, kept = 0, []
    for part in _PARENTHESIS.split(_ESCAPED.sub(b"", body)):
        if part == b"(":
            depth += 1
        elif part == b")":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(part)
    return b" ".join(kept)
