"""Durable intake, side by side: bouncemx, stock aiosmtpd with the same journal, and Postfix where it is installed.

Each server runs alone and takes the same load; rounds are interleaved, medians are compared. Two ratios are shown:
of mails a second, which depends on how many cores a server can use beside the driver (Postfix uses all, the others
one), and of mails a second of CPU. A claim holds when both do. Figures behind the ratios hold nowhere else.
"""

import argparse
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import driver
import postfix
from rich.console import Console
from rich.progress import track
from rich.table import Table

from server import minting, settings

CLAIMS = {  # (baseline, one mail a connection): at least so many times as fast
    ("stock asyncio", True): 2.0,
    ("postfix", True): 3.0,
    ("postfix", False): 4.0,
}
RSS_MIB = 100
SESSIONS = 10


@contextmanager
def process(command: list[str], port: int) -> Iterator[int]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        _wait_for(port)
        try:
            yield started.pid
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait(30)


def bouncemx(folder: Path, port: int) -> AbstractContextManager[int]:
    own = [sys.executable, "-m", "server", "serve", "--only", "intake", "--data-dir", str(folder)]
    return process([*own, "--smtp", f"127.0.0.1:{port}"], port)


def stock(loop: str) -> Callable[[Path, int], AbstractContextManager[int]]:
    script = str(Path(__file__).with_name("stock.py"))
    return lambda folder, port: process([sys.executable, script, str(folder), str(port), loop], port)


@contextmanager
def private_postfix(folder: Path, port: int) -> Iterator[int]:
    with postfix.running(folder / "postfix", port, "bounces.example.test") as pid:
        _wait_for(port)
        yield pid


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mails", type=int, default=4000, help="mails a round")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--long", type=int, default=100_000, help="mails for the memory of the intake; 0: not")
    given = options.parse_args()
    servers = {"bouncemx": bouncemx, "stock asyncio": stock("asyncio"), "stock uvloop": stock("uvloop")}
    if postfix.present():
        servers["postfix"] = private_postfix
    rates: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    rounds = [(name, one) for _ in range(given.rounds) for one in (True, False) for name in servers]
    for name, one in track(rounds, "Measuring", console=Console(stderr=True)):
        rates.setdefault((name, one), []).append(_round(servers[name], given.mails, one_a_connection=one))
    _show(rates)
    fits = _memory(given.long) if given.long else True
    return 0 if _judge(rates) and fits else 1


def _round(
    server: Callable[[Path, int], AbstractContextManager[int]], mails: int, *, one_a_connection: bool
) -> tuple[float, float]:
    """Mails a second, and microseconds of CPU a mail."""
    with tempfile.TemporaryDirectory(prefix="bouncemx-bench") as name, server(Path(name), port := _port()) as pid:
        recipient = _recipient(Path(name))
        driver.send(port, recipient, 200, SESSIONS, one_a_connection=one_a_connection)  # warm
        before = _cpu(pid)
        seconds = driver.send(port, recipient, mails, SESSIONS, one_a_connection=one_a_connection)
        return mails / seconds, (_cpu(pid) - before) / mails * 1e6


def _memory(mails: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="bouncemx-bench") as name, bouncemx(Path(name), port := _port()) as pid:
        driver.send(port, _recipient(Path(name)), mails, SESSIONS, one_a_connection=False)
        resident = _status(pid, "VmRSS") / 1024
    print(f"The intake holds {resident:.0f} MiB after {mails} mails (bar: under {RSS_MIB}).")
    return resident < RSS_MIB


def _recipient(folder: Path) -> str:
    request = minting.Request(("ann@recipient.example",))
    return str(minting.mint(settings.load(folder), request)[0]["return_path"])


def _show(rates: dict[tuple[str, bool], list[tuple[float, float]]]) -> None:
    table = Table(title=f"Durable intake, 4 KB mails, {SESSIONS} sessions, {driver.name()}, medians")
    for column in ("server", "one a connection: mails/s", "CPU us", "many a connection: mails/s", "CPU us"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for name in dict.fromkeys(name for name, _ in rates):
        cells = [f"{_median(rates[name, one], i):,.0f}" for one in (True, False) for i in (0, 1)]
        table.add_row(name, *cells)
    Console(width=120).print(table)


def _judge(rates: dict[tuple[str, bool], list[tuple[float, float]]]) -> bool:
    good = True
    for (name, one), found in rates.items():
        if name == "bouncemx":
            continue
        ours = rates["bouncemx", one]
        by_cpu = _median(found, 1) / _median(ours, 1)
        by_time = _median(ours, 0) / _median(found, 0)
        bar = CLAIMS.get((name, one))
        good = good and (bar is None or min(by_cpu, by_time) >= bar)
        told = f" (bar: {bar:g})" if bar else ""
        load = "one mail a connection" if one else "many mails a connection"
        print(f"{load}, {name}: {by_cpu:.2f} times the mails a second of CPU{told}, {by_time:.2f} times a second")
    return good


def _median(found: list[tuple[float, float]], index: int) -> float:
    return statistics.median(each[index] for each in found)


def _cpu(pid: int) -> float:
    """Seconds of CPU that the process, its children and those that they waited for have used."""
    return sum(map(_own_cpu, _tree(pid)))


def _own_cpu(pid: int) -> float:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _tree(pid: int) -> list[int]:
    children: list[str] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _tree(int(child)))]


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.recv(100)
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


if __name__ == "__main__":
    sys.exit(main())
