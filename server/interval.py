"""Something that is done now and then."""

import time


class Interval:
    """Tells when it is time again. By a clock that nobody sets: how long it is, not what time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: float | None = None

    def is_over(self) -> bool:
        """Whether it is; the next one begins then. The first question finds it over."""
        now = time.monotonic()
        if self._began is not None and now - self._began < self._seconds:
            return False
        self._began = now
        return True

    def end(self) -> None:
        """The next question finds it over."""
        self._began = None
