"""The end of a task: a signal is seen at once, whatever clock the C library is shown."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from server.stopping import ENDING, Stopping


@pytest.fixture
def stopping() -> Iterator[Stopping]:
    before = {number: signal.getsignal(number) for number in ENDING}
    yield Stopping()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_wait_and_every_later_one(stopping: Stopping, number: signal.Signals) -> None:
    began = time.monotonic()
    threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
    while not stopping.is_asked:
        stopping.wait(60)
    os.kill(os.getpid(), number)
    stopping.wait(60)
    assert time.monotonic() - began < 30


def test_without_one_it_waits_its_time(stopping: Stopping) -> None:
    began = time.monotonic()
    stopping.wait(0.05)
    assert not stopping.is_asked
    assert time.monotonic() - began >= 0.05


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed")
def test_a_wait_ends_where_the_clock_is_another() -> None:
    code = "from server.stopping import Stopping; stopping = Stopping(); stopping.wait(0.01); print(stopping.is_asked)"
    done = subprocess.run(
        ["faketime", "-f", "-1d", sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"
