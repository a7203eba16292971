"""What all sessions of one intake share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from handlers.recipients import Recipients
from server.group_commit import GroupCommit
from server.limits import Usage
from server.settings import Limits
from server.tls import Certificate


class Dismissable(Protocol):
    """A session, as far as a drain knows it."""

    def dismiss_idle(self) -> None: ...

    def cut(self) -> None: ...


@dataclass(slots=True)
class Service:
    """One intake: composed in intake.py, read by every session."""

    loop: asyncio.AbstractEventLoop
    hostname: str
    limits: Limits
    usage: Usage
    recipients: Recipients
    commit: GroupCommit
    has_room: Callable[[int], bool]  # whether the disk has room for so many octets more
    tls: Certificate
    tls_required: bool = False
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    sessions: set[Dismissable] = field(default_factory=set)
    draining: bool = False

    @property
    def greeting(self) -> bytes:
        """RFC 5321 4.2: the greeting names the host."""
        return f"220 {self.hostname} ESMTP bouncemx\r\n".encode("ascii")
