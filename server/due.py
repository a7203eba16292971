"""The clock of the worker: what was pending for too long becomes soft.

It goes as far as the journal has been read: a report that waits there is read before anything is assumed.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from server.interval import Interval
from storage import events, states
from storage.database import Database

log = logging.getLogger("bouncemx.due")

_EVERY_SECONDS = 5.0
_BATCH = 500  # a transaction


def utc_now() -> datetime:
    return datetime.now(UTC)


class Due:
    """Looks now and then for deliveries whose time is over."""

    def __init__(
        self, db: Database, window: timedelta, now: Callable[[], datetime] = utc_now, every: float = _EVERY_SECONDS
    ) -> None:
        self._db = db
        self._window = window
        self._now = now
        self._every = Interval(every)

    def look(self, read_until: datetime | None = None) -> int:
        """How many became soft. `read_until` is when the last mail came that was read, where more are waiting.

        Raises DatabaseUnusable; what was done before is whole.
        """
        if not self._every.is_over():
            return 0
        now = min(self._now(), read_until) if read_until else self._now()
        turned = 0
        while self._is_due(now) and (number := self._turn(now)):
            turned += number
        if turned:
            log.info("%d pending deliveries are soft now: nothing was heard of them", turned)
        return turned

    def _is_due(self, now: datetime) -> bool:
        """Without a transaction that writes: most looks find nothing."""
        with self._db.reader() as connection:
            return states.is_due(connection, now, self._window)

    def _turn(self, now: datetime) -> int:
        with self._db.writer() as connection:
            number, told = states.assume(connection, now, self._window, _BATCH)
            events.put(connection, told)
        return number
