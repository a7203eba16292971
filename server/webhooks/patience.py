"""When to try again: pauses of one event, and the circuit breaker of one endpoint. Values in, values out."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

_GROWTH = 2.0
_JITTER = 0.2  # of a pause: those who failed together don't come back together
_LONGEST = timedelta(hours=6)
_LONGEST_PROBE = timedelta(hours=1)


class State(StrEnum):
    """Of an endpoint."""

    ENABLED = "enabled"
    BROKEN = "broken"  # it failed too often: one event at a time probes it
    DISABLED = "disabled"  # by a person, or by its own 410


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try, and how often."""

    first: timedelta = timedelta(seconds=5)  # the pause behind the first failure
    lifetime: timedelta = timedelta(days=3)  # until an event is a dead letter
    failures: int = 10  # in a row, that open the breaker
    random: Callable[[], float] = random.random

    def pause(self, tries: int, retry_after: timedelta | None = None) -> timedelta:
        """Behind so many tries. What the endpoint asks for by Retry-After (RFC 9110 10.2.3) is heard up to a limit."""
        return max(self._grown(tries, _LONGEST), min(retry_after or timedelta(), _LONGEST))

    def probe_pause(self, probes: int) -> timedelta:
        """Until a broken endpoint is probed again."""
        return self._grown(probes + 1, _LONGEST_PROBE)

    def _grown(self, number: int, longest: timedelta) -> timedelta:
        grown = min(self.first * _GROWTH ** min(number - 1, 20), longest)
        return grown * (1 + _JITTER * (2 * self.random() - 1))


@dataclass(frozen=True, slots=True)
class Health:
    """What the tries say of an endpoint."""

    state: State = State.ENABLED
    failures: int = 0  # in a row
    broken_since: datetime | None = None
    probe_at: datetime | None = None
    why: str | None = None

    def succeeded(self) -> "Health":
        """The breaker closes; a disabled endpoint stays so."""
        return self if self.state is State.DISABLED else Health()

    def failed(self, why: str, began: datetime, ended: datetime, patience: Patience) -> "Health":
        """One more failure; enough of them open the breaker, and each failed probe makes the next one later."""
        if self.state is State.DISABLED:
            return self
        if self.state is State.BROKEN and self.probe_at and began < self.probe_at:
            return self  # it was under way when the breaker opened
        failures = self.failures + 1
        if failures < patience.failures:
            return replace(self, failures=failures)
        probe_at = ended + patience.probe_pause(failures - patience.failures)
        return Health(State.BROKEN, failures, self.broken_since or ended, probe_at, why)

    def gone(self, why: str) -> "Health":
        """The endpoint wants nothing any more."""
        return Health(State.DISABLED, why=why)
