"""Starts the tasks and watches them: one that ends is started again, one that can't start ends all.

A task is forked: what all of them import is imported once, and shared. It must not outlive the supervisor, however
that ended (lifeline.py).
"""

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess

from server import libc, tasks
from server.lifeline import Lifeline
from server.settings import Settings, UserError
from server.stopping import ENDING, Stopping
from server.trouble import TO_MEND, explained

log = logging.getLogger("bouncemx.supervisor")

STARTS = {"intake": 0.0, "worker": 0.0, "web": 1.5, "webhooks": 1.5}  # seconds after ours: mail comes first
_LONGEST_PAUSE = 10.0
_STEADY_SECONDS = 30.0
_WATCH_SECONDS = 0.1
_LOOK_SECONDS = 0.02  # between two looks whether a task has ended that was told to
GRACE_SECONDS = 5.0  # for a task to end, beyond what the intake's drain may take
_FORK = multiprocessing.get_context("fork")

Follow = Callable[[], None]


@dataclass(slots=True)
class Task:
    """One task and its process."""

    name: str
    run: Callable[[Follow], object]  # what the process does; it calls what it is given as soon as it may have threads
    process: BaseProcess | None = None
    started: float = 0.0
    pause: float = 0.1
    starts_at: float = field(default=0.0)

    def start(self, now: float, lifeline: Lifeline) -> None:
        process = _FORK.Process(target=_become, args=(self, lifeline), name=self.name)
        # a signal that comes while it is still our copy must not be answered by our handlers
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            process.start()
            self.process, self.started = process, now
        except OSError as error:
            log.warning("%s can't be started: %s", self.name, error)
            self._wait_longer(now)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def watch(self, now: float, lifeline: Lifeline) -> int | None:
        """Starts it when it is time to. The exit code of one that ended just now."""
        if self.process is None:
            if now >= self.starts_at:
                self.start(now, lifeline)
            return None
        code = self.process.exitcode
        if code is None:
            return None
        ended, self.process = self.process, None  # nobody finds it closed: a signal may come between any two steps
        ended.close()
        self._wait_longer(now)
        return code

    def _wait_longer(self, now: float) -> None:
        self.pause = 0.1 if now - self.started > _STEADY_SECONDS else min(2 * self.pause, _LONGEST_PAUSE)
        self.starts_at = now + self.pause


def run(settings: Settings, smtp: str, http: str, *, try_it: bool = False) -> int:
    """Runs until SIGTERM or SIGINT. The exit code."""
    patience = settings.limits.drain_timeout + GRACE_SECONDS
    now = time.monotonic()
    watched = [
        Task(name, partial(tasks.run, name, settings, smtp, http), starts_at=now + after)
        for name, after in STARTS.items()
    ]
    if try_it:
        _FORK.Process(target=_print_hint, args=(settings, smtp, http), name="hint", daemon=True).start()
    return supervise(watched, patience)


def supervise(watched: list[Task], patience: float) -> int:
    """Keeps the tasks running until SIGTERM or SIGINT; `patience` is how long one may take to end. The exit code.

    Nothing here may start a thread: a fork beside threads may inherit a lock that nobody gives back.
    """
    stopping = Stopping()
    signal.signal(signal.SIGHUP, lambda number, frame: _forward(watched, signal.SIGHUP))
    try:
        return _watch(watched, Lifeline(patience), stopping)
    finally:
        _stop(watched, patience)


def _watch(watched: list[Task], lifeline: Lifeline, stopping: Stopping) -> int:
    """Until one can't start, or `stopping`. The exit code."""
    while not stopping.is_asked:
        for task in watched:
            ended = task.watch(time.monotonic(), lifeline)
            if ended == TO_MEND:
                log.error("%s needs help, see above", task.name)
                return TO_MEND
            if ended is not None:
                log.warning("%s ended (%s); starting it again in %.1f s", task.name, _told(ended), task.pause)
        stopping.wait(_WATCH_SECONDS)
    return 0


def _become(task: Task, lifeline: Lifeline) -> None:
    """In the new process: no longer the supervisor. Its exit code says how the task ended."""
    signal.signal(signal.SIGHUP, lambda number, frame: None)  # for those that have nothing to read again
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    lifeline.let_go()
    libc.name_process(task.name)
    try:
        with explained():
            task.run(lifeline.follow)
    except Exception:
        sys.excepthook(*sys.exc_info())
        sys.exit(1)


def _print_hint(settings: Settings, smtp: str, http: str) -> None:
    from server import tryout
    from storage.database import DatabaseUnusable

    try:
        print(tryout.hint(settings, smtp, http), flush=True)
    except (UserError, DatabaseUnusable, OSError) as error:
        log.warning("no return path to try: %s", error)


def _forward(watched: list[Task], number: int) -> None:
    for task in watched:
        if task.process is not None and task.process.exitcode is None:
            os.kill(task.process.pid or 0, number)


def _stop(watched: list[Task], patience: float) -> None:
    """All are told at once, and the worker waits a moment for the intake; whoever does not end is killed."""
    _forward(watched, signal.SIGTERM)
    end = time.monotonic() + patience
    for process in [task.process for task in watched if task.process is not None]:
        # join() would wait for the process's own children too
        while process.exitcode is None and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        if process.exitcode is None:
            log.warning("%s does not end and is killed", process.name)
            process.kill()
            process.join()


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
