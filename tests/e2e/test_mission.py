"""What bouncemx is for, sentence by sentence (mission.toml): through SMTP and the API, with a clock that is moved."""

import smtplib
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.client import Client
from tests.e2e.service import Service, running

SCENARIOS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("mission.toml").read_text())["scenario"]
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
OWNERS = {"a": "first", "b": "second", "c": "third", "d": "fourth", "same1": "first", "same2": "first"}
PATIENCE = 30  # seconds for what the worker does on its own; nothing here is measured

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime (apt: faketime)")


@dataclass
class Clock:
    """The clock of the service: ahead of ours."""

    file: Path
    ahead: timedelta = timedelta()

    def pass_(self, hours: float) -> None:
        self.ahead += timedelta(hours=hours)
        new = self.file.with_suffix(".new")
        new.write_text(f"+{int(self.ahead.total_seconds())}\n")
        new.replace(self.file)  # never half of it


@dataclass
class World:
    """A running service with old accounts, as programs and mail servers see it."""

    service: Service
    clock: Clock
    keys: dict[str, str] = field(default_factory=dict)
    return_paths: dict[tuple[str, str], str] = field(default_factory=dict)

    def client(self, account: str | None) -> Client:
        return Client(f"http://127.0.0.1:{self.service.http}", self.keys[account or ""])

    def add_accounts(self) -> None:
        """Each with a key of its own."""
        headers = {"authorization": f"Bearer {self.keys['']}"}
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.service.http}/api/v1", headers=headers) as api:
            for name, owner in OWNERS.items():
                api.post("/accounts", json={"name": name, "owner": owner}).raise_for_status()
                made = api.post("/keys", params={"account": name}, json={"scopes": ["read", "register", "suppress"]})
                self.keys[name] = made.raise_for_status().json()["key"]

    def send(self, account: str, message_id: str, *recipients: str) -> None:
        with self.client(account) as client:
            for sent in client.register([{"recipients": recipients, "message_id": message_id}]):
                self.return_paths[account, sent["recipient"]] = str(sent["return_path"])

    def bounce(self, account: str, recipient: str, action: str, status: str, text: str) -> None:
        """A mail server reports, and the worker has read it."""
        before = self._last_capture()
        with smtplib.SMTP("127.0.0.1", self.service.smtp) as smtp:
            smtp.sendmail("", [self.return_paths[account, recipient]], report(recipient, action, status, text))
        until = time.monotonic() + PATIENCE
        while self._last_capture() == before:
            assert time.monotonic() < until, "the worker did not read it"
            time.sleep(0.05)

    def _last_capture(self) -> int:
        with self.client(None) as client:
            return next((each["id"] for each in client.captures(limit=1)), 0)

    def seen(self, account: str, address: str) -> dict[str, Any]:
        """How an account sees an address; "" stands for nothing, which TOML has no word for."""
        with self.client(account) as client:
            contact = client.contact(address)
            delivery: Any = next(client.deliveries(recipient=address, limit=1), {})
        stands: Any = contact["suppression"] or {}
        found = {
            "eligible": contact["eligible"],
            "last_hard_bounce_reason": contact["last_hard_bounce_reason"],
            "globally_ineligible": stands.get("globally_ineligible", False),
            "type": stands.get("type"),
            "category": stands.get("category"),
            "state": delivery.get("state"),
            "resolution": delivery.get("resolution"),
        }
        return {name: "" if value is None else value for name, value in found.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mission")
    clock = Clock(folder / "clock")
    clock.pass_(0)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(clock.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_RESET": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # the clock that deadlines go by
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # for another libc; with ours, who waits for a lock would spin
            "BOUNCEMX_AUTHENTICATE": "false",
            "BOUNCEMX_LIMITS__API_REQUESTS": "100000",
        }.items():
            patch.setenv(name, value)
        with running(folder) as service:
            made = World(service, clock)
            made.keys[""] = service.run("api-keys", "add", "--operator").strip()
            service.wait_for_pages()
            made.add_accounts()
            clock.pass_(24 * 8)  # accounts that are a week old have a voice in what is global
            yield made


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[each["says"].split(":")[0][:70] for each in SCENARIOS])
def test_the_mission(world: World, scenario: dict[str, Any]) -> None:
    number = SCENARIOS.index(scenario)
    domain = f"s{number}.example"
    first = _events(world)
    for place, step in enumerate(scenario["steps"]):
        _do(world, dict(step), domain, f"<{number}.{place}@sender.example>")
    if "events" in scenario:
        assert [event["type"] for event in _events(world)[len(first) :]] == scenario["events"]


def _do(world: World, step: dict[str, Any], domain: str, message_id: str) -> None:
    account = step.pop("account", None)
    if "hours" in step:
        world.clock.pass_(step["hours"])
    elif "send" in step:
        world.send(account, message_id, *(f"{step[name]}@{domain}" for name in ("send", "also") if name in step))
    elif "bounce" in step:
        address = f"{step['bounce']}@{domain}"
        world.bounce(account, address, step.get("action", "failed"), step["status"], step["text"])
    elif "unbounce" in step:
        with world.client(account) as client:
            client.unbounce([f"{step['unbounce']}@{domain}"], "a person asked", everyone=step.get("everyone", False))
    else:
        address = f"{step.pop('expect')}@{domain}"
        _expect(world, account, address, step)


def _expect(world: World, account: str, address: str, wanted: dict[str, Any]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        seen = world.seen(account, address)
        assert seen.keys() >= wanted.keys()
        if wanted.items() <= seen.items():
            return
        if time.monotonic() > until:
            assert {name: seen[name] for name in wanted} == wanted, f"{address} as {account} sees it"
        time.sleep(0.2)


def _events(world: World) -> list[Any]:
    """Of account a."""
    found, cursor = [], None
    with world.client("a") as client:
        while True:
            events, cursor = client.events(cursor)
            if not events:
                return found
            found += events


def report(recipient: str, action: str, status: str, text: str) -> str:
    """A delivery status notification (RFC 3464)."""
    subject = {"delayed": "Delayed Mail", "delivered": "Successful Mail Delivery Report"}.get(
        action, "Undelivered Mail"
    )
    lines = f"""\
From: Mail Delivery System <MAILER-DAEMON@mx.{recipient.partition("@")[2]}>
Subject: {subject}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain

This is the mail system. <{recipient}>: {text}

--=_b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.{recipient.partition("@")[2]}

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {text}

--=_b--
"""
    return lines.replace("\n", "\r\n")
