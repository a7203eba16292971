"""The worker's other clock: suppressions that come or expire, incidents that close, accounts that come of age."""

from collections.abc import Callable
from datetime import datetime

from handlers.effects import Policy
from server.interval import Interval
from storage import sweep
from storage.database import Database

_EVERY_SECONDS = 2.0  # for suppressions that wait: they come into force on time
_WHOLE_SECONDS = 30.0  # for all else, which nobody waits for


class Sweep:
    """Looks now and then. It goes as far as the journal has been read, as server/due.py does."""

    def __init__(self, db: Database, policy: Policy, now: Callable[[], datetime]) -> None:
        self._db = db
        self._policy = policy
        self._now = now
        self._every, self._whole = Interval(_EVERY_SECONDS), Interval(_WHOLE_SECONDS)

    def look(self, read_until: datetime | None = None) -> None:
        """`read_until` is when the last mail came that was read, where more are waiting. Raises DatabaseUnusable."""
        if not self._every.is_over():
            return
        now = min(self._now(), read_until) if read_until else self._now()
        if not (self._whole.is_over() or self._is_due(now)):
            return
        with self._db.writer() as connection:
            more = sweep.sweep(connection, self._policy, now)
        if more:
            self._every.end()

    def _is_due(self, now: datetime) -> bool:
        """Without a transaction that writes: most looks find nothing."""
        with self._db.reader() as connection:
            return sweep.is_due(connection, now)
