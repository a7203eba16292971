"""A private Postfix, made from the fragments of deploy/postfix, that sends with our return paths and bounces.

It has a configuration, a queue and a master of its own in a temporary folder, and listens on loopback alone.
"""

import json
import os
import shutil
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from handlers.keys import MasterKey, Ring, account_key
from handlers.verp import mint, mint_base, verify
from tests.e2e.service import Service, free_port, running

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "postfix"
DOMAIN = "bounces.example.test"
MAIL = b"""\
From: News <news@example.test>
To: Jane <jane@shop.example>
Subject: June
Message-ID: <june@example.test>

Hello
"""
RING = Ring({0: MasterKey(0, b"k" * 32, datetime(2026, 1, 1, tzinfo=UTC))}, active=0)
KEY = account_key(RING, 7)
REFUSAL = "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"
T = TypeVar("T")

pytestmark = [
    pytest.mark.needs_postfix,
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("postfix"), reason="needs_postfix: apt-get install postfix"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs_root: Postfix starts as root"),
]


def until(ask: Callable[[], T], log: Path | None = None) -> T:
    """The first true answer; fails with Postfix's log when none comes."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        if answer := ask():
            return answer
        time.sleep(0.05)
    pytest.fail("nothing arrived\n" + (log.read_text() if log and log.exists() else ""))


class Refuser:
    """A remote host that knows none of its users."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        return REFUSAL.format(address)


@dataclass
class Collector:
    """Stands where bouncemx will be: keeps what comes."""

    mails: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(envelope)
        return "250 2.0.0 taken"


@contextmanager
def listening(handler: object) -> Iterator[int]:
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@dataclass
class Postfix:
    """One private instance."""

    folder: Path
    remote: int  # port of the host that stands for the rest of the world
    bouncemx: int  # port of the return-path MX
    app: int = field(default_factory=free_port)  # port for applications

    @property
    def log(self) -> Path:
        return self.folder / "log" / "mail.log"

    def fragment(self, name: str) -> str:
        text = (DEPLOY / name).read_text()
        for documented, ours in (
            ("/etc/postfix/", f"{self.folder}/conf/"),
            ("[mx1.bounces.example.com]:25", f"[127.0.0.1]:{self.bouncemx}"),
            ("bounces.example.com", DOMAIN),
            ("127.0.0.1:10025", f"127.0.0.1:{self.app}"),
        ):
            text = text.replace(documented, ours)
        return text

    def configure(self) -> None:
        for name in ("conf", "queue", "data", "log"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix", "postfix")
        around = f"""
compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
maillog_file = {self.log}
maillog_file_prefixes = {self.folder}
myhostname = mail.example.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
default_transport = smtp:[127.0.0.1]:{self.remote}
alias_maps =
alias_database =
"""
        conf = self.folder / "conf"
        (conf / "main.cf").write_text(around + self.fragment("main.cf"))
        shutil.copy("/usr/share/postfix/master.cf.dist", conf / "master.cf")
        self.run("postconf", "-MX", "smtp/inet")  # no port 25
        self.run("postconf", "-F", "*/*/chroot = n")
        with (conf / "master.cf").open("a") as master:
            master.write(self.fragment("master.cf"))
        (conf / "bouncemx-transport").write_text(self.fragment("transport"))

    def run(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            [command, "-c", str(self.folder / "conf"), *arguments],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr + (self.log.read_text() if self.log.exists() else "")

    def sendmail(self, *arguments: str) -> None:
        """As an application calls it; MAIL_CONFIG names the instance."""
        environment = {**os.environ, "MAIL_CONFIG": str(self.folder / "conf")}
        subprocess.run(["sendmail", *arguments], input=MAIL, env=environment, check=True, timeout=60)


@contextmanager
def postfix(bouncemx: int) -> Iterator[Postfix]:
    # not below pytest's folder, which Postfix's own user may not enter
    with tempfile.TemporaryDirectory(prefix="bouncemx-postfix-") as name, listening(Refuser()) as remote:
        Path(name).chmod(0o755)
        instance = Postfix(Path(name), remote, bouncemx)
        instance.configure()
        instance.run("postfix", "start")
        try:
            yield instance
        finally:
            instance.run("postfix", "stop")


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, Postfix]]:
    kept = Collector()
    with listening(kept) as port, postfix(port) as instance:
        yield kept, instance


def today() -> date:
    return datetime.now(UTC).date()


def arrivals(collector: tuple[Collector, Postfix], at: str, number: int) -> list[Envelope]:
    """The mails whose forward path begins with a token."""

    def come() -> list[Envelope]:
        found = [mail for mail in collector[0].mails if mail.rcpt_tos[0].startswith(at)]
        return found if len(found) >= number else []

    return until(come, collector[1].log)


def test_a_bounce_comes_to_the_minted_return_path(collector: tuple[Collector, Postfix]) -> None:
    token = mint(KEY, DOMAIN, "jane@shop.example", today())
    collector[1].sendmail("-f", f"{token}@{DOMAIN}", "jane@shop.example")
    (mail,) = arrivals(collector, token, 1)
    assert mail.mail_from == "<>"  # the null reverse path, as aiosmtpd gives it
    assert mail.rcpt_tos == [f"{token}@{DOMAIN}"]
    assert b"Diagnostic-Code: smtp; 550 5.1.1 <jane@shop.example>" in (mail.content or b"")


@pytest.mark.parametrize("way", ["sendmail", "smtp"])
def test_xverp_puts_each_recipient_behind_the_signed_base(collector: tuple[Collector, Postfix], way: str) -> None:
    base = mint_base(KEY, DOMAIN, today())
    recipients = {"jane@shop.example", "Joe.Doe+list@shop.example", "a=b@sub-domain.shop.example"}
    if way == "sendmail":
        collector[1].sendmail("-XV", "-f", f"{base}@{DOMAIN}", *sorted(recipients))
    else:
        with smtplib.SMTP("127.0.0.1", collector[1].app, timeout=30) as client:
            client.sendmail(f"{base}@{DOMAIN}", sorted(recipients), MAIL, mail_options=["XVERP"])
    found = set()
    for mail in arrivals(collector, base, len(recipients)):
        local_part, _, domain = mail.rcpt_tos[0].rpartition("@")
        verified = verify(local_part, domain, RING, today())
        assert verified.accepted
        assert verified.token is not None
        assert verified.token.text == base
        found.add(verified.token.recipient)
    assert found == recipients


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Service, Postfix]]:
    settings = f'return_path_domain = "{DOMAIN}"\nauthenticate = false\n'
    with running(tmp_path, settings) as bouncemx, postfix(bouncemx.smtp) as instance:
        yield bouncemx, instance


def captured(service: tuple[Service, Postfix], number: int) -> list[dict[str, Any]]:
    bouncemx, instance = service
    found = bouncemx.wait_for_captures(number)
    assert len(found) == number, instance.log.read_text()
    return found


def test_bouncemx_matches_the_bounce_of_a_minted_return_path(service: tuple[Service, Postfix]) -> None:
    bouncemx, instance = service
    minted = bouncemx.mint("jane@shop.example", "--message-id", "<june@example.test>")
    instance.sendmail("-f", minted["return_path"], minted["recipient"])
    (capture,) = captured(service, 1)
    assert (capture["kind"], capture["detectability"]) == ("failure", "matched")
    assert capture["message"]["message_id"] == "<june@example.test>"
    assert unknown_users(capture) == {"jane@shop.example"}
    suppression = json.loads(bouncemx.run("suppressions", "--json"))
    assert suppression["address"] == "jane@shop.example"


def test_bouncemx_matches_the_bounces_of_xverp(service: tuple[Service, Postfix]) -> None:
    bouncemx, instance = service
    recipients = ["jane@shop.example", "joe+list@shop.example"]
    minted = bouncemx.run("mint", "--json", "--message-id", "<june@example.test>", *recipients).splitlines()
    (base,) = {json.loads(line)["envelope_id"] for line in minted}
    instance.sendmail("-XV", "-f", f"{base}@{DOMAIN}", *recipients)
    captures = captured(service, 2)
    assert {capture["detectability"] for capture in captures} == {"matched"}
    assert [capture["message"]["message_id"] for capture in captures] == ["<june@example.test>"] * 2
    assert set().union(*map(unknown_users, captures)) == set(recipients)


def unknown_users(capture: dict[str, Any]) -> set[str]:
    """The recipients of a capture, each of whom the remote host does not know."""
    for recipient in capture["recipients"]:
        assert (recipient["type"], recipient["reason"], recipient["status"]) == ("hard", "user_unknown", "5.1.1")
        assert recipient["rule"]
    return {recipient["address"] for recipient in capture["recipients"]}
