"""When a session ends that brings nothing forward (RFC 5321 4.5.3.2)."""

import asyncio
from collections.abc import Callable

from server.settings import Limits


class Deadlines:
    """Three marks, and one timer a connection: progress only moves the marks that it looks at."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, over: Callable[[], None]) -> None:
        """`over` is called when the time is over, and again for each later mark."""
        self._loop = loop
        self._limits = limits
        self._over = over
        now = loop.time()
        self._progress_until = now + limits.idle_timeout
        self._ends = now + limits.session_timeout
        self._data_ends: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._look_at(self._next())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def progress(self) -> None:
        """The client said something that counts."""
        self._progress_until = self._loop.time() + self._limits.idle_timeout

    def begin_data(self) -> None:
        self._data_ends = self._loop.time() + self._limits.data_timeout
        if self._timer is not None and self._data_ends < self._timer.when():
            self._look_at(self._data_ends)

    def end_data(self) -> None:
        self._data_ends = None
        self.progress()

    def end_within(self, seconds: float) -> None:
        """Whatever still comes."""
        self._ends = min(self._ends, self._loop.time() + seconds)
        self._look_at(self._ends)

    def _next(self) -> float:
        return min(self._progress_until, self._ends, self._data_ends or self._ends)

    def _look_at(self, time: float) -> None:
        self.stop()
        self._timer = self._loop.call_at(time, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._next():
            self._look_at(self._next() + 0.01)
        else:
            self._over()
