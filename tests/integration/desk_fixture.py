"""A message to two recipients, a DNS that knows their domain, and mails from anywhere."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from handlers import pipeline, ruleset
from handlers.classify import Classifier
from handlers.envelope import Envelope, Mail
from handlers.pipeline import Ports
from handlers.words import Profile
from server import minting, senders
from server.settings import Settings
from storage import captures, suppressions, tables
from storage.database import Database
from storage.keyring import KeyFile
from storage.ledger import Ledger
from storage.store import store
from tests.dns_fixture import Zone
from tests.integration.database_fixture import migrated
from tests.plain_reader import PlainReader

NOW = datetime.now(UTC).replace(microsecond=0)
ANN, BOB = "ann@shop.example", "bob@shop.example"
MX, ELSEWHERE = "192.0.2.25", "203.0.113.66"
CLASSIFIER = Classifier(ruleset.load(), Profile.HUBSPOT)


class Desk:
    """A data folder where mails are read, judged and stored as the worker does it."""

    def __init__(self, folder: Path, database: Database, dns_port: int | None, **settings: Any) -> None:
        self.database = database
        asked: dict[str, Any] = {"dns_servers": ("127.0.0.1",), "dns_port": dns_port} if dns_port else {}
        self.settings = Settings(
            data_dir=folder,
            return_path_domain="rp.example",
            authenticate=dns_port is not None,
            **asked,
            **settings,
        )
        asking = senders.of(self.settings)
        self.ports = Ports(
            authenticate=asking.authenticate,
            look_up=asking.look_up,
            reader=PlainReader(CLASSIFIER),
            tokens=self.settings.tokens(KeyFile(folder).ring),
        )
        self.position = 0

    def mint(self, name: str) -> dict[str, str]:
        """Return paths by recipient, the base and the Message-ID of a message to Ann and Bob."""
        rows = minting.mint(self.settings, minting.Request((ANN, BOB), f"<{name}@s.example>"))
        paths = {row["recipient"]: row["return_path"] for row in rows}
        return {**paths, "base": rows[0]["envelope_id"], "message_id": rows[0]["message_id"]}

    def take(self, raw: bytes, to: str, *, reverse_path: str = "", client: str = ELSEWHERE, helo: str = "") -> int:
        """What the worker does with one mail."""
        self.position += len(raw) + 1
        envelope = Envelope(reverse_path, (to,), helo or "host.elsewhere.example", client, NOW)
        with self.database.writer() as connection:
            outcome = pipeline.handle(Mail(self.position, envelope, raw), self.ports, Ledger(connection))
            store(connection, [outcome], "worker", self.position)
        return self.position

    def capture(self, key: int) -> dict[str, Any]:
        with self.database.reader() as connection:
            found, raw = captures.get(connection, key), captures.raw(connection, key)
        assert found is not None
        return {**found, "raw": raw}

    def suppressed(self) -> list[str]:
        with self.database.reader() as connection:
            return sorted(each["address"] for each in suppressions.listing(connection))

    def hard(self) -> set[str]:
        """Whose delivery is in the state hard."""
        return self.touched("hard")

    def touched(self, *states: str) -> set[str]:
        """Whose delivery is in one of these states, or without any in one at all."""
        found = select(tables.delivery.c.recipient).join_from(tables.delivery_state, tables.delivery)
        if states:
            found = found.where(tables.delivery_state.c.state.in_(states))
        with self.database.reader() as connection:
            return set(connection.execute(found).scalars())


@pytest.fixture
def quiet_desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk that asks no DNS."""
    yield from _open(tmp_path, None)


@pytest.fixture
def desk(tmp_path: Path, zone: Zone) -> Iterator[Desk]:
    zone.add(f"shop.example. 60 IN MX 10 mail.shop.example.\nmail.shop.example. 60 IN A {MX}")
    zone.txt("mail.shop.example", "v=spf1 a -all")
    yield from _open(tmp_path, zone.port)


def _open(folder: Path, dns_port: int | None) -> Iterator[Desk]:
    url = migrated(folder)
    with Database(url, checkpoints=True) as database:
        yield Desk(folder, database, dns_port)


def dsn(*stated: str, action: str = "failed", status: str = "5.1.1", back: str = "", head: str = "") -> bytes:
    """A DSN on these recipients; `back` is the header of the original, `head` more fields of the notice."""
    groups = "\n".join(
        f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; 550 {status} <{address}>: User unknown\n"
        for address in stated
    )
    envelope_id = f"Original-Envelope-Id: {back[5:]}\n" if back.startswith("envid") else ""
    original = f"--b\nContent-Type: text/rfc822-headers\n\n{back}\n\n" if back and not envelope_id else ""
    return crlf(f"""\
{head or "From: MAILER-DAEMON@mail.shop.example"}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is what became of your message.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.shop.example
{envelope_id}
{groups}
{original}--b--
""")


def text(words: str, from_: str = "Mail Delivery System <MAILER-DAEMON@mail.shop.example>") -> bytes:
    """A notice in words alone."""
    return crlf(f"From: {from_}\nSubject: Undelivered Mail Returned to Sender\n\n{words}\n")


def crlf(lines: str) -> bytes:
    return lines.replace("\n", "\r\n").encode()
