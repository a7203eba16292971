"""kill -9 of the sender and of a receiver that fails half the time, again and again, while events come.

    python -m tests.e2e.webhooks_kill9 20000

Prints what was told, missing and out of order; the exit code is 1 when anything was.
"""

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handlers.events import Event, EventType
from server.webhooks.signature import new_secret
from storage import accounts, events, forgetting, webhook_queue, webhook_tries, webhooks
from storage.database import Database, locate, migrate
from tests.e2e.service import free_port

SETTINGS = """\
authenticate = false
webhook_networks_allowed = ["127.0.0.0/8"]
webhook_pause = 0.005
"""
_PATIENCE = 1800  # seconds: one of thousands fails 17 times in a row, and then waits for ten minutes
_BATCHES = 20
_KILL_SECONDS = (0.5, 4.0)
_EVENTS_A_KILL = 250


@dataclass
class Process:
    """Something that may be killed and started again."""

    command: list[str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, *self.command], stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Result:
    events: int
    told: int
    superseded: int
    kills: int  # of the sender, and as many of the receiver
    seconds: float
    missing: set[str] = field(default_factory=set)
    disordered: list[tuple[int, list[int]]] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.missing and not self.disordered


def run(folder: Path, count: int) -> Result:
    """Puts so many events while both are killed, waits until the queue is empty, and looks at what was taken."""
    (folder / "bouncemx.toml").write_text(SETTINGS)
    url = locate(None, folder)
    migrate(url)
    port, secret, taken = free_port(), new_secret(), folder / "taken"
    sender = Process(["-m", "server", "serve", "--only", "webhooks", "--data-dir", str(folder)], folder / "log")
    receiver = Process(["-m", "tests.e2e.webhook_receiver", str(port), str(taken), secret, "0.5"], folder / "log")
    started = time.monotonic()
    with Database(url, checkpoints=True) as db:
        with db.writer() as connection:
            account = accounts.ensure(connection, "acme").id
            webhooks.add(connection, account, f"http://127.0.0.1:{port}/", [], secret, datetime.now(UTC))
        kills = 1 + count // _EVENTS_A_KILL
        killing = [threading.Thread(target=_kill, args=(each, kills)) for each in (sender, receiver)]
        for each in (sender, receiver, *killing):
            each.start()
        try:
            _put(db, account, count)
            for thread in killing:
                thread.join()
            _wait(db, folder / "log")
        finally:
            for thread in killing:
                thread.join()
            for process in (sender, receiver):
                process.kill()
        return _judge(db, taken, kills, time.monotonic() - started)


def _kill(process: Process, kills: int) -> None:
    for _ in range(kills):
        time.sleep(random.uniform(*_KILL_SECONDS))
        process.kill()
        process.start()


def _put(db: Database, account: int, count: int) -> None:
    kinds, deliveries = list(EventType), max(1, count // 4)
    made = iter(range(count))
    for _ in range(_BATCHES):
        new = [
            Event(random.choice(kinds), f"k{number}", account, random.randrange(1, deliveries), {}, datetime.now(UTC))
            for _, number in zip(range(-(-count // _BATCHES)), made, strict=False)
        ]
        with db.writer() as connection:
            events.put(connection, new)
        time.sleep(0.2)


def _wait(db: Database, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        with db.reader() as connection:
            shown = webhooks.listing(connection)[0]
            if not shown["queued"] and not webhook_queue.has_news(connection):
                return
            # with their tries, and when the next one is due
            waiting = webhook_tries.dispatches(connection, None, shown["id"], state="queued")
        assert time.monotonic() < end, (shown, waiting, log.read_text()[-2000:])
        time.sleep(0.1)


def _judge(db: Database, taken: Path, kills: int, seconds: float) -> Result:
    with db.reader() as connection:
        last = forgetting.last(connection)
    rows = [json.loads(line) for line in taken.read_text().splitlines()]
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["id"], row)
    superseded = {each["id"] for row in rows for each in row["superseded"]}
    order: dict[int, list[int]] = {}
    for row in first.values():
        order.setdefault(row["delivery"], []).append(row["sequence"])
    return Result(
        last,
        len(rows),
        len(superseded - first.keys()),
        kills,
        seconds,
        {events.name(number) for number in range(1, last + 1)} - first.keys() - superseded,
        [(delivery, sequences) for delivery, sequences in order.items() if sequences != sorted(sequences)],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, suppress(KeyboardInterrupt):
        result = run(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
        print(result)
        sys.exit(0 if result.is_good else 1)
