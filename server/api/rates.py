"""How many requests one key may make: a bucket of tokens each, filled over the minute."""

import math
import threading
from collections.abc import Callable
from time import monotonic

_KEPT = 10_000  # buckets; a full one is as good as none


class Rates:
    """Counts requests by key, in this process."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._capacity = a_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[int, tuple[float, float]] = {}  # key -> tokens, when

    def take(self, key: int) -> int:
        """0 where the request may go on; otherwise in how many seconds the next one may."""
        now = self._clock()
        with self._lock:
            tokens, when = self._buckets.get(key, (float(self._capacity), now))
            tokens = min(float(self._capacity), tokens + (now - when) * self._capacity / 60)
            taken = tokens >= 1
            self._buckets[key] = (tokens - 1 if taken else tokens, now)
            if len(self._buckets) > _KEPT:
                self._forget_full(now)
        return 0 if taken else max(1, math.ceil((1 - tokens) * 60 / self._capacity))

    def _forget_full(self, now: float) -> None:
        self._buckets = {key: each for key, each in self._buckets.items() if now - each[1] < 60}
