"""One fdatasync for all sessions that wait: while one batch is being written, the next one gathers."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Protocol

from handlers.envelope import Envelope


class Store(Protocol):
    """storage.journal.Writer"""

    def write(self, batch: Sequence[tuple[Envelope, bytes]]) -> list[int]: ...


_Waiting = tuple[Envelope, bytes, asyncio.Future[int]]


class GroupCommit:
    """Hands mails to the journal in batches, from a thread of its own."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, most: int = 500) -> None:
        self._store = store
        self._loop = loop
        self._most = most
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def put(self, envelope: Envelope, raw: bytes) -> asyncio.Future[int]:
        """The position of the mail, as soon as it is on disk. OSError where it could not be written.

        The future goes on when whoever waits for it is cancelled: a mail that was taken is written.
        """
        future: asyncio.Future[int] = self._loop.create_future()
        self._waiting.put((envelope, raw, future))
        return future

    async def close(self) -> None:
        """Waits until everything is written."""
        self._waiting.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        await asyncio.sleep(0)  # the last answers are on their way

    def _write(self) -> None:
        """The thread: writes what waits, and whatever came meanwhile with it."""
        ended = False
        while not ended:
            batch: list[_Waiting] = []
            first = self._waiting.get()
            while first is not None:
                batch.append(first)
                if len(batch) == self._most or self._waiting.empty():
                    break
                first = self._waiting.get()
            ended = first is None
            if batch:
                self._loop.call_soon_threadsafe(self._answer, batch, self._written(batch))

    def _written(self, batch: list[_Waiting]) -> list[int] | Exception:
        try:
            return self._store.write([(envelope, raw) for envelope, raw, _ in batch])
        except Exception as error:
            return error

    def _answer(self, batch: list[_Waiting], result: list[int] | Exception) -> None:
        for index, (_, _, future) in enumerate(batch):
            with contextlib.suppress(asyncio.InvalidStateError):  # its session was ended meanwhile
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result[index])
