"""SPF (RFC 7208): may this client send for this domain. The only file that knows pyspf."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import spf

from handlers import dmarc
from handlers.authenticate.lookups import Limits, Lookups
from handlers.client import public_address
from handlers.envelope import Envelope
from handlers.ports import LookupFailed, NoSuchName


@dataclass(frozen=True, slots=True)
class Sender:
    """The identity that SPF was asked about (RFC 7208 2.3, 2.4)."""

    property: str  # "smtp_mailfrom" or "smtp_helo"
    domain: str  # "" where there is none to ask
    result: str


def check_spf(envelope: Envelope, lookups: Lookups, limits: Limits) -> Sender:
    """RFC 7208. The null reverse path stands for postmaster@HELO (2.4)."""
    local, _, domain = envelope.reverse_path.rpartition("@")
    name = "smtp_helo" if envelope.null_reverse_path else "smtp_mailfrom"
    helo = dmarc.domain_name(envelope.helo)
    domain = helo if envelope.null_reverse_path else dmarc.domain_name(domain)
    client = public_address(envelope.client)
    if not domain or not client:
        return Sender(name, domain, "none")
    local = local.replace("@", ".")[:64] or "postmaster"
    token = _spf_lookups.set(_SpfLookups(lookups, limits))
    try:
        query = spf.query(i=client, s=f"{local}@{domain}", h=helo or "unknown", querytime=limits.deadline)
        query.get_explanation = lambda _spec: None  # exp= only makes words, and costs a query each
        result = str(query.check()[0])
    except Exception:  # pyspf raises all sorts for hostile records: AssertionError, ValueError, IndexError
        result = "permerror"
    finally:
        _spf_lookups.reset(token)
    return Sender(name, domain, result)


class _SpfLookups:
    """What pyspf asks of DNS for one mail; a query budget over its own counts."""

    _LONGEST = 4096  # pyspf's patterns are quadratic in the length of a record

    def __init__(self, lookups: Lookups, limits: Limits) -> None:
        self._lookups, self._left = lookups, limits.spf_queries

    def __call__(self, name: str, kind: str) -> list[Any]:
        self._left -= 1
        if self._left < 0:
            raise spf.PermError("too many DNS queries")
        if kind == "TXT":
            return [(text,) for text in self._lookups.txt(name) if self._readable(text)]
        lookup = getattr(self._lookups.resolver, kind.lower())  # a, aaaa, mx, ptr
        return list(lookup(name, self._lookups.seconds()))

    def _readable(self, text: bytes) -> bool:
        if len(text) > self._LONGEST and text[:6].lower() == b"v=spf1":
            raise spf.PermError("the record is too long")
        return len(text) <= self._LONGEST


_spf_lookups: ContextVar[_SpfLookups] = ContextVar("spf_lookups")


def _spf_dns_lookup(name: str, kind: str, _strict: object = True, _timeout: float = 0) -> list[Any]:
    """pyspf has one hook for the whole process; each thread finds its own mail's lookups behind it."""
    try:
        return [((name, kind), value) for value in _spf_lookups.get()(name, kind)]
    except NoSuchName:
        return []
    except LookupFailed as failure:
        raise spf.TempError(str(failure)) from failure


spf.DNSLookup = _spf_dns_lookup
