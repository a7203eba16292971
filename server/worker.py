"""The worker: journal -> pipeline -> one transaction a batch, with its position. What it stored leaves the journal."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from dns.resolver import NoResolverConfiguration

from handlers import pipeline
from handlers.authenticate import authenticate
from handlers.envelope import Mail
from handlers.outcome import Outcome
from handlers.pipeline import Ports, Reading
from server import sockets
from server.parsing import BoundedParser
from server.resolver import DnsResolver
from server.rulebook import classifier
from server.settings import Settings, UserError
from storage import database, journal, positions
from storage.database import Database, DatabaseUnusable
from storage.keyring import KeyFile
from storage.ledger import Ledger
from storage.store import store

log = logging.getLogger("bouncemx.worker")

CONSUMER = "worker"
TRIES = 3  # of one mail; then it is held
_BATCH = 100
_IDLE_SECONDS = 0.02  # between two looks at the journal
_LONGEST_PAUSE = 5.0


class Worker:
    """Consumes one journal."""

    def __init__(self, settings: Settings, db: Database, ports: Ports) -> None:
        self._db = db
        self._ports = ports
        with db.reader() as connection:
            position = positions.get(connection, CONSUMER) or 0
        self._reader = journal.Reader(settings.journal, position)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="read")

    def step(self) -> int:
        """Stores the next batch; how many mails that were. Raises DatabaseUnusable, and then nothing is stored."""
        start = self._reader.position
        mails = self._reader.read(_BATCH)
        if not mails:
            return 0
        try:
            self._store(list(self._threads.map(self._read, mails)))  # DNS takes its time
        except BaseException:
            self._reader.position = start
            raise
        self._reader.remove_consumed(self._reader.position)
        return len(mails)

    def close(self) -> None:
        self._reader.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _store(self, readings: Sequence[Reading | Outcome]) -> None:
        with self._db.writer() as connection:
            ledger = Ledger(connection)
            outcomes = [self._conclude(reading, ledger) for reading in readings]
            store(connection, outcomes, CONSUMER, self._reader.position)

    def _read(self, mail: Mail) -> Reading | Outcome:
        return self._tried(mail, lambda: pipeline.read(mail, self._ports))

    def _conclude(self, reading: Reading | Outcome, ledger: Ledger) -> Outcome:
        return pipeline.conclude(reading, self._ports, ledger)

    def _tried(self, mail: Mail, attempt: Callable[[], Reading | Outcome]) -> Reading | Outcome:
        """A fault of ours: the mail stays in the journal and is tried again, and after TRIES it is held."""
        for number in range(1, TRIES + 1):
            try:
                return attempt()
            except Exception:
                log.exception("capture %d failed, try %d of %d", mail.position, number, TRIES)
        return pipeline.held(mail, f"reading it failed {TRIES} times; the log of the worker says why")


def run(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT. Raises UserError, DatabaseUnusable or KeyFileBroken at the start."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.set())
    with compose(settings) as worker:
        sockets.notify("READY=1")
        log.info("reading %s", settings.journal)
        pause = _IDLE_SECONDS
        while not stopping.is_set():
            try:
                stored = worker.step()
            except DatabaseUnusable as away:
                # the mail waits in the journal, and the intake goes on
                pause = min(max(2 * pause, 0.1), _LONGEST_PAUSE)
                log.warning("%s; trying again in %.1f s", away, pause)
                stopping.wait(pause)
            else:
                pause = _IDLE_SECONDS
                if not stored:
                    stopping.wait(pause)
    sockets.notify("STOPPING=1")


@contextmanager
def compose(settings: Settings) -> Iterator[Worker]:
    """A worker out of its parts. Raises UserError, DatabaseUnusable or KeyFileBroken."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    url = database.locate(settings.database_url, settings.data_dir)
    database.migrate(url)
    parser = BoundedParser(settings.limits.parse_seconds, settings.limits.parse_octets)
    ports = Ports(
        authenticate=authentication(settings),
        parser=parser,
        classifier=classifier(settings.rules, settings.profile),
        tokens=settings.tokens(KeyFile(settings.data_dir).ring),
    )
    with Database(url, checkpoints=True) as db:
        worker = Worker(settings, db, ports)
        try:
            yield worker
        finally:
            worker.close()
            parser.close()


def authentication(settings: Settings) -> Callable[[Mail], dict[str, str]]:
    """The step authenticate over one resolver; {} for all where it is switched off."""
    if not settings.authenticate:
        return lambda mail: {}
    try:
        resolver = DnsResolver(settings.dns_servers, settings.dns_port)
    except ValueError as error:
        raise UserError(f"dns_servers = {list(settings.dns_servers)}: {error}") from None
    except NoResolverConfiguration:
        raise UserError("this host names no DNS server: give dns_servers, or authenticate = false") from None
    name = settings.hostname or settings.return_path_domain
    return lambda mail: authenticate(mail, resolver, name).results
