"""Who the client is: the peer, or what a trusted proxy says in front of the session (PROXY protocol v1 and v2).

aiosmtpd reads the protocol; it takes it from anybody, so trust is decided here.
"""

import asyncio
import ipaddress
from typing import TYPE_CHECKING

from aiosmtpd.proxy_protocol import V2_CMD, ProxyData, get_proxy

from handlers import replies

if TYPE_CHECKING:
    from server.session import Session

_PATIENCE = 5.0  # seconds: a proxy sends it at once


async def admit(session: "Session") -> bool:
    """Finds out the client and takes one of its connections; False when the session is to end."""
    service = session.service
    if service.trusted_proxies and _is_trusted(session):
        client = await _client_behind(session)
        if client is None:
            return False  # no word: whoever does not speak the protocol is no proxy
        session.client = client
    if service.draining:
        return session.answer(replies.SHUTTING_DOWN)
    if service.usage.is_guessing(session.client):
        return session.answer(replies.TOO_MANY_GUESSES)
    if not session.count(session.client):
        return session.answer(replies.TOO_MANY_CONNECTIONS)
    return True


def _is_trusted(session: "Session") -> bool:
    try:
        address = ipaddress.ip_address(session.client)
    except ValueError:
        return False
    return any(address in network for network in session.service.trusted_proxies)


async def _client_behind(session: "Session") -> str | None:
    """The client's address; the proxy's own for LOCAL and UNKNOWN (health checks); None for anything else."""
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await get_proxy(session.inbox)
    except (TimeoutError, asyncio.IncompleteReadError):
        return None
    if not found.valid:
        return None
    return _named(found) or session.client


def _named(found: ProxyData) -> str | None:
    """The address of the client that a proxy speaks for, where it speaks for one that has an address."""
    address = found.src_addr
    if found.command == V2_CMD.LOCAL or not isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address):
        return None
    # an IPv4 client of a proxy's socket for both
    return str(getattr(address, "ipv4_mapped", None) or address)
