"""One fdatasync for all sessions that wait.

A commit that waits a moment for the mails of other clients costs each of them less: an fdatasync and two switches of
threads are shared. PostgreSQL's commit_delay and commit_siblings are the same idea.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol

from handlers.envelope import Envelope

log = logging.getLogger("bouncemx.smtp")

DELAY = 0.001  # seconds

Tell = Callable[[int | Exception], None]


class Store(Protocol):
    """storage.journal.Writer"""

    def write(self, batch: Sequence[tuple[Envelope, bytes]]) -> list[int]: ...


_Waiting = tuple[Envelope, bytes, Tell]


class GroupCommit:
    """Hands mails to the journal in batches; a thread writes them."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, clients: Callable[[], int]) -> None:
        """`clients`: how many are connected, and might each bring a mail at this moment."""
        self._store = store
        self._loop = loop
        self._clients = clients
        self._gathered: list[_Waiting] = []
        self._timer: asyncio.Handle | None = None
        self._batches: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def put(self, envelope: Envelope, raw: bytes, tell: Tell) -> None:
        """`tell` gets the position of the mail as soon as it is on disk, or why it could not be written.

        That is in the loop's thread, and not before put() has returned.
        """
        self._gathered.append((envelope, raw, tell))
        if len(self._gathered) >= self._clients():
            self._hand_over()
        elif self._timer is None:
            self._timer = self._loop.call_later(DELAY, self._hand_over)

    async def close(self) -> None:
        """Waits until everything is written."""
        self._hand_over()
        self._batches.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        await asyncio.sleep(0)  # the last answers are on their way

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._gathered:
            self._batches.put(self._gathered)
            self._gathered = []

    def _write(self) -> None:
        """The thread: what waits is written together, though it was handed over at different times."""
        while (batch := self._batches.get()) is not None:
            ended = False
            while not ended and not self._batches.empty():
                following = self._batches.get()
                ended = following is None
                batch += following or ()
            self._loop.call_soon_threadsafe(_answer, batch, self._written(batch))
            if ended:
                return

    def _written(self, batch: list[_Waiting]) -> list[int] | Exception:
        try:
            return self._store.write([(envelope, raw) for envelope, raw, _ in batch])
        except Exception as error:
            return error


def _answer(batch: list[_Waiting], result: list[int] | Exception) -> None:
    for index, (_, _, tell) in enumerate(batch):
        try:
            tell(result if isinstance(result, Exception) else result[index])
        except Exception:  # of one session: the others wait for their answers
            log.exception("a client could not be told")
