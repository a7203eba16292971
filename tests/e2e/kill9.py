"""kill -9 under load: sends numbered mails until so many are acknowledged, killing everything again and again.

    python -m tests.e2e.kill9 20000

Prints what was acknowledged, lost and stored twice; the exit code is 1 when anything was.
"""

import random
import re
import smtplib
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.service import Service, dsn, running

_MARKER = re.compile(r"k9-\d+-\d+-end")


@dataclass
class Sender(threading.Thread):
    """One client; remembers which mails were answered 250."""

    number: int
    service: Service
    return_path: str
    enough: threading.Event
    acknowledged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread.__init__(self, daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        count = 0
        while not self.enough.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.service.smtp, timeout=20) as client:
                    while not self.enough.is_set():
                        count += 1
                        marker = f"k9-{self.number}-{count}-end"
                        client.sendmail("", [self.return_path], dsn("jane@shop.example", "<m@news.example>", marker))
                        self.acknowledged.append(marker)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)


@dataclass(frozen=True)
class Result:
    acknowledged: int
    kills: int
    lost: list[str]
    twice: list[str]


def run(service: Service, wanted: int, clients: int = 8) -> Result:
    """Kills the whole service at random moments until `wanted` mails are acknowledged, then counts."""
    return_path = service.mint("jane@shop.example")["return_path"]
    enough = threading.Event()
    senders = [Sender(number, service, return_path, enough) for number in range(clients)]
    for sender in senders:
        sender.start()
    kills = 0
    while sum(len(sender.acknowledged) for sender in senders) < wanted:
        time.sleep(random.uniform(0.3, 1.5))
        service.kill()
        kills += 1
        service.start()
    enough.set()
    for sender in senders:
        sender.join(60)
    acknowledged = [marker for sender in senders for marker in sender.acknowledged]
    stored = _stored(service, acknowledged)
    lost = [marker for marker in acknowledged if not stored[marker]]
    twice = [marker for marker in acknowledged if stored[marker] > 1]
    return Result(len(acknowledged), kills, lost, twice)


def _stored(service: Service, acknowledged: list[str]) -> Counter[str]:
    """How often each mail is listed, once the worker has read the journal to its end.

    There may be more than were acknowledged: of some the answer was lost, and not the mail.
    """
    number, end = len(acknowledged), time.monotonic() + 60 + len(acknowledged) / 200
    while True:
        rows = service.wait_for_captures(number, seconds=end - time.monotonic())
        found = Counter(_MARKER.findall("\n".join(row["subject"] for row in rows)))
        if all(found[marker] for marker in acknowledged) or time.monotonic() > end:
            return found
        number = len(rows) + 1


def main() -> int:
    wanted = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as service:
        result = run(service, wanted)
    print(
        f"{result.acknowledged} acknowledged, {result.kills} kills, {len(result.lost)} lost, {len(result.twice)} twice"
    )
    return 1 if result.lost or result.twice else 0


if __name__ == "__main__":
    sys.exit(main())
