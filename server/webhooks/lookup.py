"""The addresses of an endpoint's name, over DNS and nothing else: no hosts file, no search domains, no odd numbers."""

import asyncio
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from server.webhooks import addresses
from server.webhooks.addresses import Address

_SECONDS = 5.0


class NotFound(Exception):
    """The name has no address, or nobody says which."""


class Lookup:
    """One resolver with a cache that keeps to the TTLs, for all endpoints; one slow zone delays only its own."""

    def __init__(self, servers: Sequence[str] = (), port: int = 53) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = list(servers)
            self._resolver.port = port
        self._resolver.cache = dns.resolver.LRUCache(1000)

    async def addresses(self, host: str) -> list[Address]:
        """All of them, IPv4 first. Raises NotFound."""
        name = dns.name.from_text(host)
        answers = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"), return_exceptions=True)
        found = [address for answer in answers if isinstance(answer, list) for address in answer]
        if not found:
            raise NotFound(_why(host, answers))
        return found

    async def _ask(self, name: dns.name.Name, kind: str) -> list[Address]:
        answer = await self._resolver.resolve(name, kind, raise_on_no_answer=False, search=False, lifetime=_SECONDS)
        return [addresses.read(record.address) for record in answer.rrset or ()]


def _why(host: str, answers: Sequence[list[Address] | BaseException]) -> str:
    """Raises what is no word of DNS: a fault of ours."""
    for answer in answers:
        if isinstance(answer, dns.resolver.NXDOMAIN):
            return f"{host} does not exist"
        if isinstance(answer, dns.exception.DNSException | OSError):
            return f"the DNS servers do not say where {host} is ({type(answer).__name__})"
        if isinstance(answer, BaseException):
            raise answer
    return f"{host} has no address"
