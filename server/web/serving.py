"""The web task: one uvicorn in this process, on our own sockets."""

import contextlib
import logging
import signal
import socket
from collections.abc import Iterator, Sequence

import uvicorn

from server import sockets
from server.api.application import PREFIX, application
from server.settings import Settings
from server.starting import ready
from server.web.application import site
from server.web.guard import allowed_hosts
from storage import database
from storage.database import Database, DatabaseUnusable

log = logging.getLogger("bouncemx.web")

_STOP_SECONDS = 5  # for requests that are being answered
_CONNECTIONS = 500


def run(settings: Settings, address: str) -> None:
    """Runs until SIGTERM or SIGINT. Raises UserError, and DatabaseUnusable where database_url can't be understood.

    A database that is away does not keep it from starting: the pages say so until it is back.
    """
    listeners = sockets.activated() or sockets.listen(address)
    url = database.locate(settings.database_url, settings.data_dir)
    try:
        database.migrate(url)
    except DatabaseUnusable as away:
        log.warning("%s", away)
    bound = [str(listener.getsockname()[0]) for listener in listeners]
    with Database(url, maps=True) as db:  # checks thousands of addresses at once
        config = uvicorn.Config(
            site(db, settings.journal, allowed_hosts(address, bound), (PREFIX, application(db, settings))),
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        # its lines of every start and stop say nothing that ours do not
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        _Server(config).run(listeners)
    sockets.notify("STOPPING=1")


class _Server(uvicorn.Server):
    """Ends with a plain return: uvicorn's own would end the process by the signal that it caught."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _ready(sockets or [])


def _ready(listeners: Sequence[socket.socket]) -> None:
    names = ", ".join(_name(listener) for listener in listeners)
    log.info("pages at %s", names)
    ready()


def _name(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
