"""The end of a task that has no event loop: SIGTERM and SIGINT ask for it."""

import os
import select
import signal

ENDING = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Whether the end was asked for. A wait for it ends at once when it is.

    It waits in select(), and not for a lock as threading.Event does: a lock's time is measured by the C library, and
    never ends where that one is told another time (libfaketime).
    """

    def __init__(self) -> None:
        """From now on both signals ask for it. In the main thread."""
        self._asked = False
        self._wakes, self._wake = os.pipe()
        for number in ENDING:
            signal.signal(number, lambda number, frame: self.ask())

    def ask(self) -> None:
        if not self._asked:
            self._asked = True
            os.write(self._wake, b"!")

    @property
    def is_asked(self) -> bool:
        return self._asked

    def wait(self, seconds: float) -> None:
        """For so long at the most."""
        select.select([self._wakes], [], [], seconds)
