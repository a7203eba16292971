"""Whether a client is an MX of a domain (RFC 5321 5.1, RFC 7505)."""

import time

from handlers.ports import LookupFailed, NoSuchName, Resolver
from handlers.trust import Claim
from handlers.words import TrustReason

SECONDS = 5.0  # for all lookups of one capture
_MOST_HOSTS = 10  # the preferred ones


def answer(claim: Claim, resolver: Resolver, seconds: float = SECONDS) -> TrustReason | None:
    """RECIPIENT_MX; DNS_FAILED where nobody can tell now; None where it is not. Never raises for what a DNS says."""
    end = time.monotonic() + seconds
    try:
        hosts = _hosts(claim.domain, resolver, seconds)
        if claim.host in hosts or any(_has(host, claim.client, resolver, end) for host in hosts):
            return TrustReason.RECIPIENT_MX
    except LookupFailed:
        return TrustReason.DNS_FAILED
    return None


def _hosts(domain: str, resolver: Resolver, seconds: float) -> list[str]:
    """The MX hosts; without one the domain itself (RFC 5321 5.1), with the null MX nobody (RFC 7505 3)."""
    try:
        records = resolver.mx(domain, seconds)
    except NoSuchName:
        return []
    hosts = [host.lower().removesuffix(".") for _, host in sorted(records)[:_MOST_HOSTS]]
    return [host for host in hosts if host] if records else [domain]


def _has(host: str, client: str, resolver: Resolver, end: float) -> bool:
    left = end - time.monotonic()
    if left <= 0:
        raise LookupFailed("the deadline of this capture has passed")
    try:
        return client in (resolver.aaaa(host, left) if ":" in client else resolver.a(host, left))
    except NoSuchName:
        return False
