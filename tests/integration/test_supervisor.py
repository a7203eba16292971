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

from server.lifeline import Lifeline
from server.supervisor import Task

SUPERVISE = """
import os, sys
from functools import partial
from server import logs, supervisor
logs.set_up()
def become(code, follow):
    if code != "follow":
        os.execvp("sh", ["sh", "-c", code])
    follow()
    exec(os.environ["FOLLOWING"])
tasks = [supervisor.Task(f"task{number}", partial(become, code)) for number, code in enumerate(sys.argv[2:])]
sys.exit(supervisor.supervise(tasks, float(sys.argv[1])))
"""
FOLLOWING = """
import signal, time
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), file=open({marks!r}, "a"), flush=True)
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
def supervised(*tasks: str, patience: float = 5.0, following: str = "") -> Iterator["subprocess.Popen[str]"]:
    """Each task a line for the shell, or "follow": what `following` says, in Python, for as long as we are there."""
    command = [sys.executable, "-c", SUPERVISE, str(patience), *tasks]
    environment = {**os.environ, "FOLLOWING": following}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
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


@pytest.mark.parametrize("stubborn", [False, True])
def test_no_task_outlives_a_killed_supervisor(marks: Marks, stubborn: bool) -> None:
    """The other task, forked later, holds no end of the line that the first one hangs on."""
    following = FOLLOWING.format(stubborn=stubborn, marks=str(marks.path))
    with supervised("follow", "follow", patience=0.1, following=following) as process:
        marks.wait_for(2)
        process.kill()
        wait_until(lambda: not any(map(is_alive, marks())))


def test_a_task_of_ours_that_fails_tells_why_in_one_record() -> None:
    with supervised("follow", following="raise ValueError('a fault\\x1b of ours')") as process:
        assert process.stderr
        first = process.stderr.readline()  # a task that is ended before it told why tells nothing
        process.terminate()
        said = first + process.stderr.read()
        process.wait(30)
    assert "CRITICAL bouncemx: ended by a fault of ours" in said
    assert "    ValueError: a fault\\x1b of ours" in said
    assert process.returncode == 0


def test_a_task_that_names_a_way_out_ends_all_without_a_traceback() -> None:
    named = "from server.settings import UserError; raise UserError('return_path_domain = 7: give a domain name')"
    with supervised("follow", following=named) as process:
        said = told(process)
    assert "bouncemx: return_path_domain = 7: give a domain name" in said
    assert ("Traceback" in said, process.returncode) == (False, 2)


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


@contextmanager
def serving(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """`serve`, as soon as it takes mail and works on it, and its log."""
    command = [sys.executable, "-m", "server", "serve", "--data-dir", str(folder / "data")]
    addresses = ["--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    log = folder / "log"
    with log.open("w") as file, subprocess.Popen([*command, *addresses], stderr=file) as process:
        wait_until(lambda: "taking mail at" in log.read_text() and "reading " in log.read_text())
        yield process, log


def test_the_service_does_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    """Intake, worker, and the worker's reader."""
    with serving(tmp_path) as (process, log):
        started = children(process.pid)
        names = [name_of(pid) for pid in started]
        process.kill()
        wait_until(lambda: not any(map(is_alive, started)))
    assert names.count("bouncemx-worker") == 2
    assert names.count("bouncemx-intake") == 1
    assert "the supervisor is gone" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_hangup_ends_no_task_that_has_nothing_to_read_again(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, log):
        before = children(process.pid)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        process.terminate()
        assert process.wait(30) == 0
    assert len(before) >= 3
    assert "SIGHUP" not in log.read_text()


def test_pauses_grow_until_a_task_runs_steadily() -> None:
    lifeline = Lifeline(1)
    task = Task("x", lambda follow: sys.exit(1))
    pauses = []
    now = 0.0
    for _ in range(9):
        assert task.watch(now, lifeline) is None
        assert task.process is not None
        task.process.join()
        assert task.watch(now, lifeline) == 1
        pauses.append(task.pause)
        assert task.watch(now + task.pause / 2, lifeline) is None
        assert task.process is None
        now += task.pause
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    task.watch(now, lifeline)
    assert task.process is not None
    task.process.join()
    task.watch(now + 60, lifeline)
    assert task.pause == 0.1


def test_a_machine_that_has_no_process_left(monkeypatch: pytest.MonkeyPatch) -> None:
    lifeline = Lifeline(1)
    task = Task("x", lambda follow: sys.exit(1))

    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert task.watch(0.0, lifeline) is None
    assert (task.process, task.pause) == (None, 0.2)
    monkeypatch.undo()
    task.watch(0.2, lifeline)
    assert task.process is not None
    task.process.join()
    assert task.watch(0.2, lifeline) == 1
