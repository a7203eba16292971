"""Listening sockets: given by systemd (sd_listen_fds(3)) or opened here; and what systemd is told (sd_notify(3))."""

import os
import socket
from contextlib import suppress

from server.settings import UserError

_FIRST_FD = 3
BACKLOG = 512


def activated() -> list[socket.socket]:
    """The sockets that systemd opened for this process; [] where it opened none."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    number = int(os.environ.get("LISTEN_FDS", "0"))
    found = [socket.socket(fileno=fd) for fd in range(_FIRST_FD, _FIRST_FD + number)]
    for listener in found:
        os.set_inheritable(listener.fileno(), False)
        listener.setblocking(False)
    return found


def listen(address: str) -> list[socket.socket]:
    """HOST:PORT, [HOST]:PORT or :PORT (all addresses) -> listening sockets. Raises UserError."""
    host, port = split(address)
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UserError(f"{address}: {error.strerror}") from None
    return [_listen(family, target, address) for family, _, _, _, target in dict.fromkeys(found)]


def split(address: str) -> tuple[str, int]:
    """HOST:PORT -> its parts. Raises UserError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UserError(f"{address!r} is no HOST:PORT: give e.g. 127.0.0.1:2525, [::1]:2525 or :25")
    return host.removeprefix("[").removesuffix("]"), int(port)


def notify(state: str) -> None:
    """Tells systemd, where it listens: "READY=1", "STOPPING=1"."""
    target = os.environ.get("NOTIFY_SOCKET")
    if target:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), "\0" + target[1:] if target.startswith("@") else target)


def _listen(family: int, target: object, address: str) -> socket.socket:
    # the protocol is named because asyncio sets TCP_NODELAY only where it is: a sevenfold difference with EHLO
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(target)  # type: ignore[arg-type]
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = (
            "; ports below 1024 need a right to them, see deploy/systemd" if isinstance(error, PermissionError) else ""
        )
        raise UserError(f"{address}: {error.strerror}{hint}") from None
    listener.setblocking(False)
    return listener
