"""The worker's other clock: suppressions that come or expire, incidents that close, accounts that come of age."""

import time
from collections.abc import Callable
from datetime import datetime

from handlers.effects import Policy
from storage.database import Database
from storage.sweep import sweep

_EVERY_SECONDS = 2.0


class Sweep:
    """Looks now and then. It goes as far as the journal has been read, as server/due.py does."""

    def __init__(
        self, db: Database, policy: Policy, now: Callable[[], datetime], every: float = _EVERY_SECONDS
    ) -> None:
        self._db = db
        self._policy = policy
        self._now = now
        self._every = every
        self._looked: float | None = None

    def look(self, read_until: datetime | None = None) -> None:
        """`read_until` is when the last mail came that was read, where more are waiting. Raises DatabaseUnusable."""
        moment = time.monotonic()
        if self._looked is not None and moment - self._looked < self._every:
            return
        self._looked = moment
        now = min(self._now(), read_until) if read_until else self._now()
        with self._db.writer() as connection:
            more = sweep(connection, self._policy, now)
        if more:
            self._looked = None
