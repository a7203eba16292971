"""Reading mails, side by side: bouncemx parses and classifies them, flufl.bounce finds the addresses that failed.

Both start from the mail's bytes, in one process and on one core; rounds are interleaved, medians are compared. The
mails are those of a folder (the argument, or BOUNCEMX_CORPUS), else the golden mails. Those that flufl.bounce or
Python's own parser raises on are left out. Figures behind the ratio hold nowhere else.
"""

import argparse
import email
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flufl.bounce import scan_message
from rich.console import Console
from rich.progress import track
from rich.table import Table

from handlers.classify import Classifier
from handlers.parse import parse
from handlers.ruleset import load

CLAIM = 1.5  # times as fast as flufl.bounce, at least
GOLDEN = Path(__file__).parents[1] / "corpus"
NO_MAILS = {".json", ".jsonl", ".md", ".py", ".pyc", ".toml"}  # what else lies beside them

Read = Callable[[bytes], Any]


def flufl(raw: bytes) -> object:
    return scan_message(email.message_from_bytes(raw))


def bouncemx() -> Read:
    classifier = Classifier(load())
    return lambda raw: classifier.classify(parse(raw))


def mails(folder: Path) -> list[bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in NO_MAILS)
    return [raw for raw in (path.read_bytes() for path in paths) if raw and _is_read(raw)]


def _is_read(raw: bytes) -> bool:
    try:
        flufl(raw)
    except Exception:
        return False
    return True


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path, nargs="?", default=Path(os.environ.get("BOUNCEMX_CORPUS") or GOLDEN))
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = options.parse_args()
    logging.getLogger("flufl.bounce").disabled = True  # it logs what it raises
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = mails(given.folder)
    if not found:
        sys.exit(f"no mails in {given.folder}")
    times = _measure({"bouncemx": bouncemx(), "flufl.bounce": flufl}, found, given.rounds)
    return _judge(found, times, as_json=given.json)


def _measure(readers: dict[str, Read], found: Sequence[bytes], rounds: int) -> dict[str, list[float]]:
    """Seconds of CPU of each round. The first of each warms caches and is left out."""
    times: dict[str, list[float]] = {name: [] for name in readers}
    order = [(number, name) for number in range(rounds + 1) for name in readers]
    for number, name in track(order, "Measuring", console=Console(stderr=True)):
        started = time.process_time()
        for raw in found:
            readers[name](raw)
        if number:
            times[name].append(time.process_time() - started)
    return times


def _judge(found: Sequence[bytes], times: dict[str, list[float]], *, as_json: bool) -> int:
    each = {name: statistics.median(rounds) / len(found) for name, rounds in times.items()}
    ratio = each["flufl.bounce"] / each["bouncemx"]
    octets = sum(map(len, found)) // len(found)
    if as_json:
        microseconds = {name: round(seconds * 1e6, 1) for name, seconds in each.items()}
        print(json.dumps({"mails": len(found), "octets": octets, "us": microseconds, "ratio": round(ratio, 3)}))
    else:
        _show(each, f"{len(found)} mails of {octets} octets, one core, medians")
        print(f"bouncemx reads {ratio:.2f} times as many mails a second (bar: {CLAIM:g}).")
    return 0 if ratio >= CLAIM else 1


def _show(each: dict[str, float], title: str) -> None:
    table = Table(title=title, min_width=60)
    for column in ("reader", "us a mail", "mails/s"):
        table.add_column(column, justify="left" if column == "reader" else "right")
    for name, seconds in each.items():
        table.add_row(name, f"{seconds * 1e6:,.0f}", f"{1 / seconds:,.0f}")
    Console(width=100).print(table, end="")


if __name__ == "__main__":
    sys.exit(main())
