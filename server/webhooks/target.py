"""Where an endpoint's URL points, or what is wrong with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna

from server.webhooks import addresses
from server.webhooks.addresses import Address, Network

_LONGEST = 2000
_PORTS = {"https": 443, "http": 80}
_NAME = re.compile(r"(?=.{1,253}$)(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!-)[a-z0-9_-]{1,63}(?<!-)")
# what some resolvers take for an IPv4 address: 2130706433, 0x7f.1, 127.1, 0177.0.0.1
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class Refused(ValueError):
    """A URL or an address that no webhook may have; the text says why."""


class NotPublic(Refused):
    """An address that is not public, and not allowed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows."""

    networks: tuple[Network, ...] = ()  # reached though they are not public, by http too, at any port
    ports: tuple[int, ...] = (443, 8443)  # of all others


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was read once; everybody goes by this."""

    scheme: str
    host: str  # as Host and SNI have it: lower case, A-labels, no brackets
    port: int
    path: str  # with the query
    address: Address | None  # where the host is one

    @property
    def authority(self) -> str:
        """RFC 9110 7.2: the value of Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read(url: str, policy: Policy) -> Target:
    """The target of a URL. Raises Refused; what its name resolves to is looked at before every try."""
    if len(url) > _LONGEST or not url.isprintable() or any(c in url for c in ' "<>\\^`{|}'):
        raise Refused(f"a URL has up to {_LONGEST} printable characters without spaces, quotes and backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"it is no URL: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Refused("give an absolute URL such as https://hooks.example.com/bounces")
    if "@" in parts.netloc:
        raise Refused("it must carry no user and no password: the signature says who sends")
    if parts.fragment or url.endswith("#"):
        raise Refused("it must have no fragment: that is never sent")
    address = _address(parts.hostname)
    host = str(address) if address else _name(parts.hostname)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, _ascii(path), address)
    check(target, [address] if address else [], policy)
    return target


def check(target: Target, found: Sequence[Address], policy: Policy) -> None:
    """Raises Refused unless each of these addresses may be reached as the URL says.

    All of them: a name that points at both kinds is either a mistake or an attack.
    """
    for address in found:
        if objection := addresses.objection(address, policy.networks):
            raise NotPublic(objection)
    allowed = bool(found) and all(addresses.is_allowed(address, policy.networks) for address in found)
    if allowed or (not found and policy.networks):  # a name may yet turn out to be in an allowed network
        return
    if target.scheme != "https":
        raise Refused("http:// shows bounces to everybody on the way: give an https:// URL")
    if target.port not in policy.ports:
        ports = " or ".join(map(str, policy.ports))
        raise Refused(f"port {target.port} is not one of webhook_ports: take {ports}")


def _address(host: str) -> Address | None:
    """The address that a host is; None for a name."""
    try:
        return addresses.read(host)
    except ValueError:
        if ":" in host or "%" in host:
            raise Refused(f"{host!r} is no address") from None
        return None


def _name(host: str) -> str:
    """The name in A-labels (RFC 5891). Raises Refused."""
    try:
        name = idna.encode(host.removesuffix("."), uts46=True).decode("ascii") if not host.isascii() else host.lower()
    except idna.IDNAError as error:
        raise Refused(f"{host!r} is no host name: {error}") from None
    name = name.removesuffix(".")
    if not _NAME.fullmatch(name):
        raise Refused(f"{host!r} is no host name")
    if _NUMBER.fullmatch(name):
        raise Refused(f"{host!r} is an odd form of an address: write it as 192.0.2.1")
    if name == "localhost" or name.endswith(".localhost"):
        raise Refused(f"{host!r} is this host (RFC 6761): give its address, and allow it by webhook_networks_allowed")
    return name


def _ascii(path: str) -> str:
    """RFC 3986 2.5: other letters as the percent-encoded octets of UTF-8."""
    return "".join(c if c.isascii() else "".join(f"%{octet:02X}" for octet in c.encode()) for c in path)
