"""A shop whose mail bounced, and rules that judge it anew."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import URL, select

from handlers import pipeline
from handlers.authenticated import Authenticated
from handlers.classify import Classifier
from handlers.envelope import Envelope, Mail
from handlers.pipeline import Ports
from handlers.words import Profile
from server import minting
from server.reclassify import Reclassifier, Tally
from server.rulebook import classifier
from server.settings import Settings
from storage import suppressions, tables
from storage.database import Database
from storage.keyring import KeyFile
from storage.ledger import Ledger
from storage.store import store
from tests.plain_reader import PlainReader

Bouncemx = Callable[..., tuple[object, str, str]]
GOLDEN = sorted((Path(__file__).parents[1] / "corpus").glob("*/*.eml"))
NOW = datetime.now(UTC).replace(microsecond=0)
UNKNOWN, GONE, FULL = "550 5.1.1 User unknown", "550 5.1.1 No such user here", "452 4.2.2 Mailbox is full"
POLICY = """
[[rule]]
id = "own.policy"
reason = "sender_rejected"
match = "user unknown"
example = "550 5.1.1 user unknown"
"""
DEAD = """
[[rule]]
id = "own.dead"
reason = "user_unknown"
match = "mailbox is full"
permanence = "permanent"
example = "552 mailbox is full"
"""
SPAM = """
[[rule]]
id = "own.spam"
reason = "ptr_missing"
match = "no such user"
example = "550 5.1.1 no such user here"
"""
OWN = POLICY + DEAD


@cache
def rules(*texts: str) -> Classifier:
    """Ours, behind a file with each of these."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.toml" for number, _ in enumerate(texts)]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        return classifier(files, Profile.HUBSPOT)


class Shop:
    """A data folder whose captures were judged by our rules."""

    def __init__(self, folder: Path, url: URL, database: Database) -> None:
        self.database = database
        written = url.render_as_string(hide_password=False)
        folder.mkdir()
        (folder / "bouncemx.toml").write_text(
            f'return_path_domain = "rp.example"\nauthenticate = false\ndatabase_url = {json.dumps(written)}\n'
        )
        self.settings = Settings(data_dir=folder)
        self.ports = Ports(
            authenticate=lambda mails: [Authenticated(mail.raw, {"spf": "pass"}) for mail in mails],
            reader=PlainReader(rules()),
            tokens=self.settings.tokens(KeyFile(folder).ring),
        )
        self.position = 0

    def mint(self, recipient: str) -> str:
        return str(minting.mint(self.settings, minting.Request((recipient,)))[0]["return_path"])

    def take(self, to: str, raw: bytes, *, held: str | None = None, at: datetime = NOW) -> int:
        """What the worker does with one mail."""
        self.position += len(raw) + 1
        mail = Mail(self.position, Envelope("", (to,), "mx.example", "192.0.2.7", at), raw)
        with self.database.writer() as connection:
            ledger = Ledger(connection)
            outcome = pipeline.held(mail, held) if held else pipeline.handle(mail, self.ports, ledger)
            store(connection, [outcome], "worker", self.position)
        return self.position

    def bounce(self, recipient: str, reply: str, **how: Any) -> int:
        return self.take(self.mint(recipient), notice(recipient, reply), **how)

    def reclassify(self, *own: str, dry: bool = False, told: Callable[[int], object] = id, **ports: Any) -> Tally:
        given = {"reader": PlainReader(rules(*own)), **ports}
        return Reclassifier(self.database, replace(self.ports, **given)).run(dry=dry, told=told)

    def rows(self) -> dict[str, list[Any]]:
        """Everything, of every table."""
        found = (tables.account, tables.message, tables.delivery, tables.capture, tables.bounce, tables.suppression)
        with self.database.reader() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(select(table).order_by(table.c.id))]
                for table in found
            }

    def suppressed(self) -> dict[str, tuple[str, int | None]]:
        with self.database.reader() as connection:
            return {each["address"]: (each["reason"], each["capture"]) for each in suppressions.listing(connection)}

    def bounced(self) -> list[tuple[str, str, str, str]]:
        with self.database.reader() as connection:
            found = connection.execute(select(tables.bounce).order_by(tables.bounce.c.id)).mappings()
            return [(each["address"], each["type"], each["reason"], each["rule"]) for each in found]

    def captured(self, *names: str) -> list[tuple[Any, ...]]:
        with self.database.reader() as connection:
            columns = [tables.capture.c[name] for name in names]
            return [tuple(row) for row in connection.execute(select(*columns).order_by(tables.capture.c.id))]


@pytest.fixture
def shop(tmp_path: Path, url: URL, database: Database) -> Shop:
    return Shop(tmp_path / "data", url, database)


def notice(recipient: str, reply: str) -> bytes:
    status = reply.split()[1]
    lines = f"""From: mailer-daemon@mx.example
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {recipient}
Action: failed
Status: {status}
Diagnostic-Code: smtp; {reply}

--b--
"""
    return lines.replace("\n", "\r\n").encode()
