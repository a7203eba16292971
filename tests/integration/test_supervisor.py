"""The supervisor and its tasks as processes: started, started again, ended together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.supervisor import Task

SUPERVISE = """
import sys
from server import logs, supervisor
logs.set_up()
tasks = [supervisor.Task(f"task{number}", ["sh", "-c", code]) for number, code in enumerate(sys.argv[2:])]
sys.exit(supervisor.supervise(tasks, float(sys.argv[1])))
"""
FOLLOW = """
import signal, sys, time
from server import supervisor
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
supervisor.follow(0.1)
print(__import__("os").getpid(), file=open(sys.argv[1], "a"))
time.sleep(100)
"""


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """Those of a process, and theirs."""
    own = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*own, *(each for child in own for each in children(child))]


class Marks:
    """The processes that wrote their number into a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> list[int]:
        return [int(line) for line in self.path.read_text().split()] if self.path.exists() else []

    def wait_for(self, number: int) -> None:
        wait_until(lambda: len(self()) >= number)

    @property
    def sleeper(self) -> str:
        return f"echo $$ >> {self.path}; exec sleep 100"


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Marks]:
    made = Marks(tmp_path / "pids")
    yield made
    for pid in made():
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def supervised(*tasks: str, patience: float = 5.0) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", SUPERVISE, str(patience), *tasks]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: "subprocess.Popen[str]") -> str:
    """What it says until it ends."""
    return process.communicate(timeout=30)[1]


def test_a_task_that_is_killed_is_started_again(marks: Marks) -> None:
    with supervised(marks.sleeper) as process:
        for number in (1, 2):
            marks.wait_for(number)
            os.kill(marks()[-1], signal.SIGKILL)
        marks.wait_for(3)
        assert is_alive(marks()[-1])
        process.terminate()
        assert told(process).count("task0 ended (signal SIGKILL); starting it again in 0.") == 2
    assert (process.returncode, is_alive(marks()[-1])) == (0, False)


def test_a_task_that_fails_is_started_again(marks: Marks) -> None:
    with supervised(f"echo $$ >> {marks.path}; exit 1") as process:
        marks.wait_for(3)
        process.terminate()
        assert "task0 ended (exit code 1); starting it again in 0.2 s" in told(process)


def test_a_task_that_a_person_must_help_ends_all(marks: Marks) -> None:
    wait_for_mark = f"until [ -s {marks.path} ]; do sleep 0.05; done; exit 2"
    with supervised(marks.sleeper, wait_for_mark) as process:
        assert "task1 needs help" in told(process)
    assert (process.returncode, is_alive(marks()[0])) == (2, False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all(marks: Marks, number: int) -> None:
    with supervised(marks.sleeper, marks.sleeper) as process:
        marks.wait_for(2)
        process.send_signal(number)
        told(process)
    assert (process.returncode, [is_alive(pid) for pid in marks()]) == (0, [False, False])


def test_a_task_that_does_not_end_is_killed(marks: Marks) -> None:
    with supervised(f"trap '' TERM; {marks.sleeper}", patience=0.1) as process:
        marks.wait_for(1)
        process.terminate()
        assert "task0 does not end and is killed" in told(process)
    assert (process.returncode, is_alive(marks()[0])) == (0, False)


def test_a_hangup_reaches_the_tasks(marks: Marks) -> None:
    with supervised(
        f"trap 'echo 0 >> {marks.path}; exit 2' HUP; echo $$ >> {marks.path}; while :; do sleep 0.05; done"
    ) as process:
        marks.wait_for(1)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: 0 in marks())
        told(process)
    marks.path.unlink()


@pytest.mark.parametrize("kind", ["obedient", "stubborn"])
def test_no_task_outlives_a_killed_supervisor(marks: Marks, tmp_path: Path, kind: str) -> None:
    script = tmp_path / "follow.py"
    script.write_text(FOLLOW)
    with supervised(f"exec {sys.executable} {script} {marks.path} {kind}") as process:
        marks.wait_for(1)
        process.kill()
        wait_until(lambda: not is_alive(marks()[0]))


def test_the_service_does_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    """Intake, worker, and the worker's reader, which was forked: to spawn one takes longer than all else."""
    command = [sys.executable, "-m", "server", "serve", "--data-dir", str(tmp_path / "data")]
    addresses = ["--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    log = tmp_path / "log"
    with log.open("w") as file, subprocess.Popen([*command, *addresses], stderr=file) as process:
        wait_until(lambda: "taking mail at" in log.read_text() and "reading " in log.read_text())
        started = children(process.pid)
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in started]
        process.kill()
        wait_until(lambda: not any(map(is_alive, started)))
    assert sum(b"worker" in command for command in commands) == 2
    assert sum(b"intake" in command for command in commands) == 1
    assert "the supervisor is gone" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_pauses_grow_until_a_task_runs_steadily() -> None:
    task = Task("x", ["false"])
    pauses = []
    now = 0.0
    for _ in range(9):
        assert task.watch(now) is None
        assert task.process is not None
        task.process.wait()
        assert task.watch(now) == 1
        pauses.append(task.pause)
        assert task.watch(now + task.pause / 2) is None
        assert task.process is None
        now += task.pause
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    task.watch(now)
    assert task.process is not None
    task.process.wait()
    task.watch(now + 60)
    assert task.pause == 0.1
