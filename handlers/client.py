"""The address that a client connected from."""

import ipaddress
from functools import lru_cache

# loopback, RFC 1918, link-local, unspecified; the same for IPv6 with RFC 4193
_OURS = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "0.0.0.0/32"),
        *("::1/128", "fc00::/7", "fe80::/10", "::/128"),
    )
)


@lru_cache(maxsize=4096)
def public_address(client: str) -> str | None:
    """The client's address in plain form; None for one that no public record can name."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)  # RFC 4291 2.5.5.2
    address = mapped or address
    return None if any(address in network for network in _OURS) else str(address)
