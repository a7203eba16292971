"""Who the client is: the peer, or what a trusted proxy says in front of the session (PROXY protocol v1 and v2).

aiosmtpd reads the protocol; it takes it from anybody, so trust is decided here.
"""

import asyncio
import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from aiosmtpd.proxy_protocol import V2_CMD, ProxyData, get_proxy

from server.inbox import Inbox

_PATIENCE = 5.0  # seconds: a proxy sends it at once


def is_trusted(peer: str, proxies: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether this peer must speak the protocol."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:  # a socket of this host
        return False
    return any(address in network for network in proxies)


async def client_behind(peer: str, inbox: Inbox) -> str | None:
    """The client's address; the proxy's own for LOCAL and UNKNOWN (health checks); None for anything else."""
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await get_proxy(inbox)
    except (TimeoutError, asyncio.IncompleteReadError):
        return None
    if not found.valid:
        return None
    return _named(found) or peer


def _named(found: ProxyData) -> str | None:
    """The address of the client that a proxy speaks for, where it speaks for one that has an address."""
    address = found.src_addr
    if found.command == V2_CMD.LOCAL or not isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address):
        return None
    # an IPv4 client of a proxy's socket for both
    return str(getattr(address, "ipv4_mapped", None) or address)
