"""The worker: journal -> pipeline -> one transaction a batch, with its position. What it stored leaves the journal.

A fault of ours leaves the mail in the journal, and it is tried again; after TRIES it is stored as held, raw and
whole, and shown. A database that is away stops the worker, and nothing else.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from handlers import pipeline
from handlers.envelope import Mail
from handlers.outcome import Outcome
from handlers.pipeline import Ports, Reading
from server import senders, sockets
from server.due import Due, utc_now
from server.interval import Interval
from server.reading import BoundedReader, ReaderMissing, started
from server.rematch import Rematcher
from server.settings import Settings
from server.starting import ready
from server.stopping import Stopping
from server.sweeping import Sweep
from storage import database, journal, positions, waiting
from storage.database import Database, DatabaseUnusable
from storage.keyring import KeyFile
from storage.ledger import Ledger
from storage.store import store

log = logging.getLogger("bouncemx.worker")

CONSUMER = "worker"
TRIES = 3  # of one mail; then it is held
_BATCH = 250  # mails: what a transaction costs by itself is a tenth of it
_IDLE_SECONDS = 0.02  # between two looks at the journal
_LONGEST_PAUSE = 5.0
_AFTER_YOU_SECONDS = 0.05  # who is told to end together with us is the intake, and closes its door first
_LOOK_SECONDS = 1.0  # between two looks for segments that can go


@dataclass(frozen=True, slots=True)
class _Batch:
    """Mails being read in the background, while the batch before is stored."""

    readings: Future[list[Reading | Outcome]]
    start: int  # where it was read from
    end: int  # the position behind it


class Worker:
    """Consumes one journal."""

    def __init__(self, settings: Settings, db: Database, ports: Ports, now: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._ports = ports
        with db.reader() as connection:
            position = positions.get(connection, CONSUMER) or 0
        self._reader = journal.Reader(settings.journal, position)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._ahead: deque[_Batch] = deque()
        self._keep_seconds = settings.journal_keep_seconds
        self._policy = settings.policy
        self._stored = position
        self._due = Due(db, timedelta(hours=settings.pending_hours), now)
        self._clearing = Interval(_LOOK_SECONDS)
        self._sweep = Sweep(db, self._policy, now)
        self._rematcher = Rematcher(db, ports, self._policy)
        self._matching = Interval(_LOOK_SECONDS)
        self._database_was_away = False

    def step(self) -> int:
        """Stores the next batch; how many mails that were. Without one: matches captures again, if any are due.

        Raises DatabaseUnusable or ReaderMissing, and then nothing is stored: the mails wait in the journal.
        """
        if self._database_was_away:
            self._go_back()
        while len(self._ahead) < 2 and (following := self._next()):
            self._ahead.append(following)
        if not self._ahead:
            self._remove_consumed()
            self._look()
            return self._match_again()
        batch = self._ahead[0]
        try:
            readings = batch.readings.result()
        except ReaderMissing:
            self._read_again(batch.start)
            raise
        try:
            self._store(readings, batch.end)
        except DatabaseUnusable:
            self._database_was_away = True
            raise
        self._ahead.popleft()
        self._stored = batch.end
        self._remove_consumed()
        self._look(readings[-1].mail.envelope.received_at)
        self._match_again()
        return len(readings)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._reader.close()

    def _go_back(self) -> None:
        """A database that comes back may have lost its last commits: what it knows is what counts."""
        with self._db.reader() as connection:
            position = positions.get(connection, CONSUMER) or 0
        self._read_again(position)
        self._database_was_away = False

    def _read_again(self, position: int) -> None:
        """Forgets what was read ahead."""
        for batch in self._ahead:
            batch.readings.cancel()
        self._reader.position = position
        self._ahead.clear()

    def _remove_consumed(self) -> None:
        """Now and then: it looks at every segment."""
        if not self._clearing.is_over():
            return
        try:
            self._reader.remove_consumed(self._stored, self._keep_seconds)
        except OSError as error:
            log.warning("what is stored can't be removed from the journal: %s", error)

    def _look(self, read_until: datetime | None = None) -> None:
        """At the clock; a fault of ours in what time brings about stops no mail."""
        for each in (self._due, self._sweep):
            try:
                each.look(read_until)
            except DatabaseUnusable:
                raise
            except Exception:
                log.exception("what is due could not be done; it is tried again")

    def _match_again(self) -> int:
        """Now and then, and until none is due: it asks the database."""
        if not self._matching.is_over():
            return 0
        try:
            matched = self._rematcher.step()
        except (DatabaseUnusable, ReaderMissing):
            raise
        except Exception:
            log.exception("captures could not be matched again; it is tried again")
            return 0
        if matched:
            self._matching.end()
        return matched

    def _next(self) -> _Batch | None:
        start = self._reader.position
        mails = self._reader.read(_BATCH)
        if not mails:
            return None
        return _Batch(self._thread.submit(self._read, mails), start, self._reader.position)

    def _store(self, readings: Sequence[Reading | Outcome], end: int) -> None:
        try:
            self._transact(readings, end)
        except DatabaseUnusable:
            raise
        except Exception:
            log.exception("a batch could not be stored; storing its mails one by one")
            ends = [reading.mail.position for reading in readings[1:]] + [end]
            for reading, its_end in zip(readings, ends, strict=True):
                self._store_alone(reading, its_end)

    def _store_alone(self, reading: Reading | Outcome, end: int) -> None:
        """After TRIES it is held: one mail must not stop all that come after it."""
        for number in range(1, TRIES + 1):
            try:
                return self._transact([reading], end)
            except DatabaseUnusable:
                raise
            except Exception:
                log.exception("capture %d could not be stored, try %d of %d", reading.mail.position, number, TRIES)
        why = f"storing it failed {TRIES} times; the log of the worker says why"
        return self._transact([pipeline.held(reading.mail, why)], end)

    def _transact(self, readings: Sequence[Reading | Outcome], end: int) -> None:
        with self._db.writer() as connection:
            waiting.hold(connection)
            paths = (path for reading in readings for path in reading.mail.envelope.forward_paths)
            ledger = Ledger(connection, {path.rpartition("@")[0].lower() for path in paths})
            ports = replace(self._ports, tokens=self._ports.tokens.at_once())
            outcomes = [pipeline.conclude(reading, ports, ledger) for reading in readings]
            store(connection, outcomes, CONSUMER, end, self._policy)

    def _read(self, mails: Sequence[Mail]) -> list[Reading | Outcome]:
        try:
            return pipeline.read(mails, self._ports)
        except ReaderMissing:
            raise
        except Exception:
            log.exception("a batch could not be read; reading its mails one by one")
            return [self._read_alone(mail) for mail in mails]

    def _read_alone(self, mail: Mail) -> Reading | Outcome:
        for number in range(1, TRIES + 1):
            try:
                return pipeline.read([mail], self._ports)[0]
            except ReaderMissing:
                raise
            except Exception:
                log.exception("capture %d could not be read, try %d of %d", mail.position, number, TRIES)
        return pipeline.held(mail, f"reading it failed {TRIES} times; the log of the worker says why")


def run(settings: Settings, reader: BoundedReader) -> None:
    """Runs until SIGTERM or SIGINT. Raises UserError, DatabaseUnusable or KeyFileBroken at the start."""
    stopping = Stopping()
    with compose(settings, reader=reader) as worker:
        ready()
        log.info("reading %s", settings.journal)
        pause = _IDLE_SECONDS
        while not stopping.is_asked:
            try:
                stored = worker.step()
            except (DatabaseUnusable, ReaderMissing) as away:
                # the mail waits in the journal, and the intake goes on
                pause = min(max(2 * pause, 0.1), _LONGEST_PAUSE)
                log.warning("%s; trying again in %.1f s", away, pause)
                stopping.wait(pause)
            else:
                pause = _IDLE_SECONDS
                if not stored:
                    stopping.wait(pause)
        time.sleep(_AFTER_YOU_SECONDS)
    sockets.notify("STOPPING=1")


@contextmanager
def compose(
    settings: Settings, now: Callable[[], datetime] = utc_now, reader: BoundedReader | None = None
) -> Iterator[Worker]:
    """A worker out of its parts; a reader is started where none is given.

    Raises UserError, DatabaseUnusable or KeyFileBroken.
    """
    reader = reader or started(settings.limits, settings.rules, settings.profile)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    url = database.locate(settings.database_url, settings.data_dir)
    database.migrate(url)
    asking = senders.of(settings)
    ports = Ports(
        authenticate=asking.authenticate,
        look_up=asking.look_up,
        reader=reader,
        tokens=settings.tokens(KeyFile(settings.data_dir).ring),
        flag_separate=settings.separate_notices == "flag",
    )
    with Database(url, checkpoints=True) as db:
        worker = Worker(settings, db, ports, now)
        try:
            reader.await_ready()
            yield worker
        finally:
            worker.close()
            reader.close()
