"""A pipe whose one end only the supervisor has: where it ends, however the supervisor ended, its tasks end too."""

import logging
import os
import signal
import threading
import time

log = logging.getLogger("bouncemx.supervisor")


class Lifeline:
    """Made by the supervisor before it forks; every task inherits it."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds that a task may take to end, before it is ended by force."""
        self._patience = patience
        self._end, self._own = os.pipe()

    def let_go(self) -> None:
        """In a task, first of all: gives up the end that the supervisor holds."""
        os.close(self._own)

    def follow(self) -> None:
        """In a task: ends this process by SIGTERM when the supervisor is gone. Starts a thread."""
        threading.Thread(target=self._follow, name="follow", daemon=True).start()

    def _follow(self) -> None:
        while os.read(self._end, 1):
            pass
        log.warning("the supervisor is gone")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._patience)
        os.kill(os.getpid(), signal.SIGKILL)
