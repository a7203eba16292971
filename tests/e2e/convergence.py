"""Reports in random order, with repeats, to a worker that is killed again and again: states as of the ordered run.

    python -m tests.e2e.convergence 200000

Feeds so many mails through the journal to the worker's own process, once in the order of time and once shuffled with
repeats and kill -9 in between. Prints how the deliveries stand and which differ; the exit code is 1 when any does.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from handlers.envelope import Envelope
from server import minting
from server.settings import Settings, load
from storage import journal, positions, states, tables
from storage.database import Database, locate
from tests.e2e.service import DOMAIN, command

Mail = tuple[Envelope, bytes]
REPEATED = 0.35  # of the mails come once more
WINDOW = timedelta(hours=72)
_LASTS = timedelta(hours=3)
SAYINGS = (
    ("delayed", "4.4.1", "connect to mx.shop.example: Connection timed out"),
    ("delayed", "4.2.2", "452 4.2.2 Mailbox full"),
    ("failed", "5.1.1", "550 5.1.1 User unknown"),
    ("failed", "5.2.2", "552 5.2.2 Mailbox full"),
    ("failed", "4.4.1", "connect to mx.shop.example: Connection timed out"),
    ("delivered", "2.0.0", "250 2.0.0 OK"),
    ("relayed", "2.0.0", "250 2.0.0 OK"),
)
OFTEN = (6, 3, 1, 1, 1, 2, 1)
STATE = ("state", "resolution", "type", "category", "reason", "since", "pending_since", "delivered_at")
REVISION = ("to_state", "resolution", "type", "category", "reason")


@dataclass(frozen=True)
class Result:
    mails: int
    kills: int
    states: Counter[str]
    different: list[tuple[int, Any, Any]]


def run(folder: Path, number: int, seed: int, *, pause: tuple[float, float] = (0.5, 5.0)) -> Result:
    """Both runs, below `folder`; a kill comes after so many seconds."""
    chance = random.Random(seed)
    ordered, shuffled = folder / "ordered", folder / "shuffled"
    once = max(1, round(number / (1 + REPEATED)))
    mails = _mails(ordered, once, chance)
    shutil.copytree(ordered, shuffled)
    _feed(ordered, sorted(mails, key=lambda mail: mail[0].received_at))
    _work(ordered, None)
    again = mails + chance.choices(mails, k=number - len(mails))
    chance.shuffle(again)
    _feed(shuffled, again)
    kills = _work(shuffled, lambda: chance.uniform(*pause))
    wanted, found = _standings(ordered), _standings(shuffled)
    keys = sorted({*wanted, *found})
    different = [(key, wanted.get(key), found.get(key)) for key in keys if wanted.get(key) != found.get(key)]
    return Result(
        len(again), kills, Counter(f"{row[0][0]} {row[0][1] or ''}".strip() for row in wanted.values()), different
    )


def _mails(folder: Path, number: int, chance: random.Random) -> list[Mail]:
    """What servers report, in a history of one to six mails for each delivery; all of it began a week ago or later."""
    folder.mkdir(parents=True)
    (folder / "bouncemx.toml").write_text(f'return_path_domain = "{DOMAIN}"\nauthenticate = false\n')
    minted = _minted(load(folder))
    now = datetime.now(UTC).replace(microsecond=0)
    mails: list[Mail] = []
    while len(mails) < number:
        sent = next(minted)
        moment = now - timedelta(hours=chance.uniform(1, 168))
        for action, status, text in chance.choices(SAYINGS, OFTEN, k=chance.randint(1, 6)):
            if WINDOW - _LASTS < now - moment < WINDOW:  # it would become due between the runs' ends
                moment += _LASTS
            envelope = Envelope("", (sent["return_path"],), "mx.shop.example", "192.0.2.7", moment)
            mails.append((envelope, _report(sent["recipient"], action, status, text)))
            moment = min(now, moment + timedelta(seconds=chance.randint(1, 100_000)))
    return mails


def _minted(settings: Settings) -> Iterator[dict[str, Any]]:
    while True:
        recipients = tuple(f"user{number}@shop.example" for number in range(500))
        yield from minting.mint(settings, minting.Request(recipients))


def _report(recipient: str, action: str, status: str, text: str) -> bytes:
    lines = f"""\
From: Mail Delivery System <MAILER-DAEMON@mx.shop.example>
Subject: Delivery report
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain

This is a report on your message.

--=_b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.shop.example

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {text}

--=_b--
"""
    return lines.replace("\n", "\r\n").encode()


def _feed(folder: Path, mails: Sequence[Mail]) -> None:
    with journal.Writer(load(folder).journal) as writer:
        for start in range(0, len(mails), 100):
            writer.write(mails[start : start + 100])


def _work(folder: Path, lives: Callable[[], float] | None) -> int:
    """Runs the worker until it has read all and nothing is due. How often it was killed.

    Each lives so many seconds from its first batch on: on a slow machine it takes long to start.
    """
    kills, end = 0, _end(folder)
    with Database(locate(None, folder)) as database:
        while not _live(folder, database, end, lives and lives()):
            kills += 1
    return kills


def _live(folder: Path, database: Database, end: int, seconds: float | None) -> bool:
    """One process; whether all is done before it is killed."""
    start, until = _read(database), None
    with _worker(folder) as process:
        while until is None or time.monotonic() < until:
            if _is_done(database, end):
                return True
            if process.poll() is not None:
                raise AssertionError((folder / "worker.log").read_text()[-2000:])
            if seconds is not None and until is None and _read(database) > start:
                until = time.monotonic() + seconds
            time.sleep(0.1)
    return False


def _end(folder: Path) -> int:
    """The position behind the last mail of the journal."""
    reader = journal.Reader(load(folder).journal, 0)
    while reader.read(1000):
        pass
    position = reader.position
    reader.close()
    return position


def _read(database: Database) -> int:
    with database.reader() as connection:
        return positions.get(connection, "worker") or 0


def _is_done(database: Database, end: int) -> bool:
    with database.reader() as connection:
        due = states.is_due(connection, datetime.now(UTC), WINDOW)
    return not due and _read(database) >= end


@contextmanager
def _worker(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The worker's own process; it is killed at the end, with all that it started."""
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            command("serve", "--only", "worker", "--data-dir", str(folder)),
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _standings(folder: Path) -> dict[int, tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Of each delivery how it stands, and what its last revision says."""
    state, change = tables.delivery_state, tables.state_change
    with Database(locate(None, folder)) as database, database.reader() as connection:
        last = {
            row.delivery_id: tuple(getattr(row, name) for name in REVISION)
            for row in connection.execute(select(change).order_by(change.c.id))
        }
        return {
            row.delivery_id: (tuple(getattr(row, name) for name in STATE), last[row.delivery_id])
            for row in connection.execute(select(state))
        }


def main() -> int:
    number = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    with tempfile.TemporaryDirectory() as name:
        result = run(Path(name), number, seed)
    standing = ", ".join(f"{count} {state}" for state, count in sorted(result.states.items()))
    print(f"seed {seed}: {result.mails} mails, {result.kills} kills, {len(result.different)} different; {standing}")
    for different in result.different[:10]:
        print(*different, sep="\n  ")
    return 1 if result.different else 0


if __name__ == "__main__":
    sys.exit(main())
