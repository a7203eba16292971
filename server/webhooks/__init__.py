"""The webhooks: a process that tells endpoints what happened. docs/webhooks.md says what they read."""

import asyncio
import fcntl
import ipaddress
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from dns.resolver import NoResolverConfiguration

from server import sockets
from server.settings import Settings, UserError
from server.starting import ready
from server.webhooks.lookup import Lookup
from server.webhooks.patience import Patience
from server.webhooks.post import Post
from server.webhooks.sender import Sender, Sending
from server.webhooks.target import Policy
from storage import database

log = logging.getLogger("bouncemx.webhooks")

LOCK = "webhooks.lock"
_LOCK_SECONDS = 0.1


def run(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT. Raises UserError or DatabaseUnusable at the start."""
    asyncio.run(_send(settings))


def policy(settings: Settings) -> Policy:
    """What the operator allows."""
    networks = tuple(ipaddress.ip_network(network) for network in settings.webhook_networks_allowed)
    return Policy(networks, settings.webhook_ports)


@asynccontextmanager
async def post(settings: Settings) -> AsyncIterator[Post]:
    """What sends, out of its parts. Raises UserError."""
    try:
        lookup = Lookup(settings.dns_servers, settings.dns_port)
    except NoResolverConfiguration:
        raise UserError("this host names no DNS server, and webhooks need one: give dns_servers") from None
    made = Post(policy(settings), lookup, settings.webhook_timeout)
    try:
        yield made
    finally:
        await made.close()


async def _send(settings: Settings) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    patience = Patience(timedelta(seconds=settings.webhook_pause), timedelta(days=settings.webhook_days))
    sending = Sending(patience, timedelta(days=settings.webhook_history_days), timedelta(days=settings.event_days))
    url = database.locate(settings.database_url, settings.data_dir)
    await asyncio.to_thread(database.migrate, url)
    ready()
    async with _alone(settings.data_dir, stopping), post(settings) as sends:
        with database.Database(url) as db:
            await Sender(db, sends, sending).run(stopping)
    sockets.notify("STOPPING=1")


@asynccontextmanager
async def _alone(data_dir: Path, stopping: asyncio.Event) -> AsyncIterator[None]:
    """One sender a data folder: two would send everything twice. The second one waits for the first to end."""
    with (data_dir / LOCK).open("wb") as lock:
        while not stopping.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOCK_SECONDS)
        log.info("sending webhooks")
        yield
