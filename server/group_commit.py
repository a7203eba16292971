"""One fdatasync for all sessions that wait: while one batch is being written, the next one gathers."""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting: list[_Waiting] = []
        self._writing = False
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, envelope: Envelope, raw: bytes) -> asyncio.Future[int]:
        """The position of the mail, as soon as it is on disk. OSError where it could not be written.

        The future goes on when whoever waits for it is cancelled: a mail that was taken is written.
        """
        future: asyncio.Future[int] = self._loop.create_future()
        self._waiting.append((envelope, raw, future))
        if not self._writing:
            self._writing = True
            self._idle.clear()
            self._loop.call_soon(self._next)  # what else arrived in this turn of the loop comes along
        return future

    async def close(self) -> None:
        """Waits until everything is written."""
        await self._idle.wait()
        self._thread.shutdown()

    def _next(self) -> None:
        batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        if not batch:
            self._writing = False
            self._idle.set()
            return
        written = self._loop.run_in_executor(self._thread, self._store.write, [(e, raw) for e, raw, _ in batch])
        written.add_done_callback(lambda done: self._written(batch, done))

    def _written(self, batch: list[_Waiting], done: asyncio.Future[list[int]]) -> None:
        error = done.exception()
        for index, (_, _, future) in enumerate(batch):
            with contextlib.suppress(asyncio.InvalidStateError):  # its session was ended meanwhile
                if error:
                    future.set_exception(error)
                else:
                    future.set_result(done.result()[index])
        self._next()
