"""The intake: listens, takes mail, writes the journal. It knows no database and reads no mail."""

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from typing import TypeVar

import uvloop

from handlers.recipients import Recipients, patterns
from server import sockets
from server.group_commit import GroupCommit
from server.limits import Usage
from server.service import Service
from server.session import Session
from server.settings import Settings
from server.starting import ready
from server.tls import Certificate
from server.verbs import VERBS
from storage import journal
from storage.keyring import KeyFile

log = logging.getLogger("bouncemx.intake")

T = TypeVar("T")


def run(settings: Settings, address: str) -> None:
    """Runs until SIGTERM or SIGINT. Raises UserError, journal.JournalLocked, KeyFileBroken at the start."""
    listeners = sockets.activated() or sockets.listen(address)
    # aiosmtpd logs every command at INFO; what is worth a line is logged by session.py
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    with journal.Writer(settings.journal) as writer:
        # a tenth to a quarter more mails a second than in asyncio's loop (docs/decisions.md)
        uvloop.run(_serve(settings, listeners, writer))


async def _serve(settings: Settings, listeners: Sequence[socket.socket], writer: journal.Writer) -> None:
    loop = asyncio.get_running_loop()
    service = compose(settings, writer, loop)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, service.tls.reload)
    servers = [
        await loop.create_server(lambda: Session(service, VERBS), sock=listener, backlog=sockets.BACKLOG)
        for listener in listeners
    ]
    log.info("taking mail at %s", ", ".join(_name(listener) for listener in listeners))
    ready()
    await stop.wait()
    sockets.notify("STOPPING=1")
    for server in servers:
        server.close()
    await drain(service, settings.limits.drain_timeout)
    await service.commit.close()


def compose(settings: Settings, writer: journal.Writer, loop: asyncio.AbstractEventLoop) -> Service:
    """One intake out of its parts."""
    keys = KeyFile(settings.data_dir)
    ring = _remembered(keys.ring, 1.0, loop)
    free = _remembered(lambda: journal.free_octets(settings.journal), 0.05, loop)
    usage = Usage(settings.limits, loop.time)
    return Service(
        loop=loop,
        hostname=settings.hostname or socket.getfqdn(),
        limits=settings.limits,
        usage=usage,
        recipients=Recipients(
            tokens=settings.tokens(ring),
            base_local_part=settings.base_local_part,
            watched=patterns(settings.watched_addresses),
        ),
        commit=GroupCommit(writer, loop, lambda: usage.connections),
        has_room=lambda octets: free() >= settings.limits.reserve_octets + octets,
        tls=Certificate(settings.tls_certificate, settings.tls_key),
        tls_required=settings.tls_required,
        trusted_proxies=tuple(ipaddress.ip_network(network) for network in settings.trusted_proxies),
    )


async def drain(service: Service, patience: float) -> None:
    """Ends idle sessions with 421, lets those that are sending a mail finish it, then cuts."""
    service.draining = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while service.sessions:
                for session in list(service.sessions):
                    session.dismiss_idle()
                await asyncio.sleep(0.02)
    for session in list(service.sessions):
        session.cut()
    await asyncio.sleep(0)


def _remembered(ask: Callable[[], T], seconds: float, loop: asyncio.AbstractEventLoop) -> Callable[[], T]:
    """Asks again only after so many seconds: both questions cost a system call, and come with each mail."""
    answer = ask()
    asked = loop.time()

    def remembered() -> T:
        nonlocal answer, asked
        if loop.time() - asked > seconds:
            answer, asked = ask(), loop.time()
        return answer

    return remembered


def _name(listener: socket.socket) -> str:
    name = listener.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)
