"""Starts the tasks and watches them: one that ends is started again, one that can't start ends all.

A task's standard input is a pipe whose other end only the supervisor has: where that ends, however it ended, the
supervisor is no more, and the task ends too.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from server.settings import Settings

log = logging.getLogger("bouncemx.supervisor")

TASKS = {"intake": 0.0, "worker": 0.0, "web": 1.5, "webhooks": 1.5}  # seconds after the start: mail comes first
TO_MEND = 2  # the exit code of a task that a person must help
# glibc raises its threshold with the first large mail, and keeps the memory of all that follow (mallopt(3))
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_ARENA_MAX": "2"}
_LONGEST_PAUSE = 10.0
_STEADY_SECONDS = 30.0
GRACE_SECONDS = 5.0  # for a task to end, beyond what the intake's drain may take


@dataclass(slots=True)
class Task:
    """One task and its process."""

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    pause: float = 0.1
    starts_at: float = field(default=0.0)

    def start(self, now: float) -> None:
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, env={**os.environ, **MALLOC})
        self.started = now

    def watch(self, now: float) -> int | None:
        """Starts it when it is time to. The exit code of one that ended just now."""
        if self.process is None:
            if now >= self.starts_at:
                self.start(now)
            return None
        code = self.process.poll()
        if code is None:
            return None
        self.forget()
        self.pause = 0.1 if now - self.started > _STEADY_SECONDS else min(2 * self.pause, _LONGEST_PAUSE)
        self.starts_at = now + self.pause
        return code

    def forget(self) -> None:
        """It has ended."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


def run(settings: Settings, smtp: str, http: str, *, try_it: bool = False) -> int:
    """Runs until SIGTERM or SIGINT. The exit code."""
    if try_it:
        threading.Thread(target=_print_hint, args=(settings, smtp, http), daemon=True).start()
    now = time.monotonic()
    tasks = [Task(name, _command(name, settings, smtp, http), starts_at=now + after) for name, after in TASKS.items()]
    return supervise(tasks, settings.limits.drain_timeout + GRACE_SECONDS)


def supervise(tasks: list[Task], patience: float) -> int:
    """Keeps the tasks running until SIGTERM or SIGINT; `patience` is how long one may take to end. The exit code."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.set())
    signal.signal(signal.SIGHUP, lambda number, frame: _forward(tasks, signal.SIGHUP))
    code = 0
    while not stopping.is_set():
        for task in tasks:
            ended = task.watch(time.monotonic())
            if ended == TO_MEND:
                log.error("%s needs help, see above", task.name)
                code = TO_MEND
                stopping.set()
            elif ended is not None:
                log.warning("%s ended (%s); starting it again in %.1f s", task.name, _told(ended), task.pause)
        stopping.wait(0.1)
    _stop(tasks, patience)
    return code


def follow(patience: float) -> None:
    """In a task: ends this process when its supervisor has ended, by SIGTERM, and by force after so many seconds."""
    threading.Thread(target=_follow, args=(patience,), name="follow", daemon=True).start()


def _follow(patience: float) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    log.warning("the supervisor is gone")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    os.kill(os.getpid(), signal.SIGKILL)


def _command(name: str, settings: Settings, smtp: str, http: str) -> list[str]:
    # -P: a folder that happens to hold a server.py is not looked into
    own = [sys.executable, "-P", "-m", "server", "serve", "--supervised", "--only", name]
    return [*own, "--data-dir", str(settings.data_dir), "--smtp", smtp, "--http", http]


def _print_hint(settings: Settings, smtp: str, http: str) -> None:
    from server import tryout
    from server.settings import UserError
    from storage.database import DatabaseUnusable

    try:
        print(tryout.hint(settings, smtp, http), flush=True)
    except (UserError, DatabaseUnusable, OSError) as error:
        log.warning("no return path to try: %s", error)


def _forward(tasks: list[Task], number: int) -> None:
    for task in tasks:
        if task.process is not None:
            task.process.send_signal(number)


def _stop(tasks: list[Task], patience: float) -> None:
    """The intake first stops taking mail, while the worker goes on; whoever does not end is killed."""
    _forward(tasks, signal.SIGTERM)
    end = time.monotonic() + patience
    for task in tasks:
        if task.process is not None:
            try:
                task.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("%s does not end and is killed", task.name)
                task.process.kill()
                task.process.wait()
            task.forget()


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
