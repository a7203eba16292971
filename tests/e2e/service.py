"""The installed command as a running service, for tests that see it from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from storage import tables
from storage.database import Database, locate

DOMAIN = "bounces.example.test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """`bouncemx serve` on a data folder; may be started again after a kill."""

    data_dir: Path
    smtp: int
    http: int
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        log = (self.data_dir.parent / "serve.log").open("ab")
        listen = ["--smtp", f"127.0.0.1:{self.smtp}", "--http", f"127.0.0.1:{self.http}"]
        self.process = subprocess.Popen(
            [*command("serve"), *listen, "--data-dir", str(self.data_dir)],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        self._wait(self.smtp, b"")

    def wait_for_pages(self) -> None:
        """The web process starts beside the others, and listens some time after `start`."""
        self._wait(self.http, b"HEAD /healthz HTTP/1.0\r\n\r\n")

    def _wait(self, port: int, request: bytes) -> None:
        """Until who connects there, and sends this, is answered."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as probe:
                    probe.sendall(request)
                    if probe.recv(100):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError((self.data_dir.parent / "serve.log").read_text()[-2000:])

    def kill(self) -> None:
        """kill -9 of everything at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*command(*arguments), "--data-dir", str(self.data_dir)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def mint(self, recipient: str, *options: str) -> dict[str, Any]:
        return dict(json.loads(self.run("mint", recipient, "--json", *options)))

    def captures(self, *options: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("captures", "--json", *options).splitlines()]

    def wait_for_captures(self, number: int, *options: str, seconds: float = 60) -> list[dict[str, Any]]:
        """What the command lists, once it is so many; it is asked again when there are more in the database."""
        end, wanted = time.monotonic() + seconds, number
        while True:
            while (stored := self.stored()) < wanted and time.monotonic() < end:
                time.sleep(0.05)
            found = self.captures(*options)
            if len(found) >= number or time.monotonic() > end:
                return found
            wanted = stored + 1

    def stored(self) -> int:
        """How many captures the database has; each call of the command costs a second of a slow machine."""
        with Database(locate(None, self.data_dir)) as database, database.reader() as connection:
            return int(connection.execute(select(func.count()).select_from(tables.capture)).scalar_one())


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "server", *arguments]


@contextmanager
def running(folder: Path, settings: str = "") -> Iterator[Service]:
    """A service on a fresh data folder below `folder`, with these lines in its bouncemx.toml."""
    data_dir = folder / "data"
    data_dir.mkdir()
    (data_dir / "bouncemx.toml").write_text(settings)
    service = Service(data_dir, free_port(), free_port())
    service.start()
    try:
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


def dsn(recipient: str, message_id: str, marker: str = "") -> bytes:
    """A delivery status notification that says the recipient is unknown."""
    lines = f"""\
From: Mail Delivery System <MAILER-DAEMON@mx.shop.example>
Subject: Undelivered Mail Returned to Sender {marker}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain

<{recipient}>: host mx.shop.example said: 550 5.1.1 User unknown (in reply to RCPT TO command)

--=_b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.shop.example

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.shop.example
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--=_b
Content-Type: text/rfc822-headers

Subject: June
Message-ID: {message_id}

--=_b--
"""
    return lines.replace("\n", "\r\n").encode()
