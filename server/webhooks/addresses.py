"""Which addresses a webhook may reach: public unicast, and what the operator allows.

Whoever has an account chooses the URLs, and we stand inside of the operator's network: without this they would reach
what only we can (SSRF). Sources: the IANA registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890).
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL = {
    "0.0.0.0/8": "this network (RFC 791)",
    "10.0.0.0/8": "private (RFC 1918)",
    "100.64.0.0/10": "shared by a carrier's customers (RFC 6598)",
    "127.0.0.0/8": "loopback (RFC 1122)",
    "169.254.0.0/16": "link-local (RFC 3927)",
    "172.16.0.0/12": "private (RFC 1918)",
    "192.0.0.0/24": "protocol assignments (RFC 6890)",
    "192.0.2.0/24": "documentation (RFC 5737)",
    "192.31.196.0/24": "AS112 (RFC 7535)",
    "192.52.193.0/24": "AMT (RFC 7450)",
    "192.88.99.0/24": "6to4 relays (RFC 7526)",
    "192.168.0.0/16": "private (RFC 1918)",
    "192.175.48.0/24": "AS112 (RFC 7534)",
    "198.18.0.0/15": "benchmarking (RFC 2544)",
    "198.51.100.0/24": "documentation (RFC 5737)",
    "203.0.113.0/24": "documentation (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved, and broadcast (RFC 1112)",
    "::/128": "unspecified (RFC 4291)",
    "::1/128": "loopback (RFC 4291)",
    "64:ff9b::/96": "an IPv4 address behind NAT64 (RFC 6052)",
    "64:ff9b:1::/48": "an IPv4 address behind NAT64 (RFC 8215)",
    "fc00::/7": "private (RFC 4193)",
    "fe80::/10": "link-local (RFC 4291)",
    "fec0::/10": "site-local (RFC 3879)",
    "ff00::/8": "multicast (RFC 4291)",
    "2001::/23": "protocol assignments, and Teredo (RFC 4380)",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2002::/16": "an IPv4 address in 6to4 (RFC 3056)",
    "2620:4f:8000::/48": "AS112 (RFC 7534)",
    "3fff::/20": "documentation (RFC 9637)",
}
_NETWORKS = tuple((ip_network(network), name) for network, name in _SPECIAL.items())
_UNICAST = IPv6Network("2000::/3")  # RFC 4291 2.4: all that is given out so far


def read(text: str) -> Address:
    """The address; an IPv4-mapped one (RFC 4291 2.5.5.2) as the IPv4 address that a connection would go to.

    Raises ValueError, also for one with a zone: that names an interface of ours.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.scope_id:
            raise ValueError(f"{text} has a zone")
        return address.ipv4_mapped or address
    return address


def is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether the operator allows this very address."""
    return any(address.version == network.version and address in network for network in allowed)


def objection(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Why the address must not be reached; None where it may."""
    if is_allowed(address, allowed):
        return None
    for network, name in _NETWORKS:
        if address.version == network.version and address in network:
            return f"{address} is not public: {name}"
    if isinstance(address, IPv6Address):
        if address not in _UNICAST:
            return f"{address} is not public: outside of {_UNICAST} (RFC 4291)"
        if int(address) >> 32 & 0xFDFFFFFF == 0x5EFE:
            return f"{address} is not public: an IPv4 address in ISATAP (RFC 5214)"
    return None
