"""The sender as a whole: nothing is lost when it dies, nobody waits for a slow endpoint, one at a time."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from handlers.events import EventType
from handlers.outcome import Outcome
from handlers.words import Detectability, Kind, Trust
from server import webhooks as sending
from server.webhooks.examples import examples
from server.webhooks.lookup import Lookup
from server.webhooks.patience import Patience
from server.webhooks.post import Answer, Post
from server.webhooks.sender import Sender, Sending
from server.webhooks.target import Policy
from storage import events, messages, webhooks
from storage.database import Database, DatabaseUnusable
from storage.store import store
from tests.integration.database_fixture import migrated
from tests.integration.test_webhook_post import TAKEN, never, serving
from tests.integration.webhook_fixture import SECRET, event

QUICK = Patience(first=timedelta(milliseconds=1), failures=100)


@pytest.fixture
def db(tmp_path: Path) -> Any:
    url = migrated(tmp_path)
    with Database(url, checkpoints=True) as opened:
        yield opened


def add(db: Database, port: int) -> int:
    with db.writer() as connection:
        made = webhooks.add(connection, None, f"http://127.0.0.1:{port}/", [], SECRET, datetime.now(UTC))
    return int(made["id"])


def tell(db: Database, *keys: str) -> None:
    with db.writer() as connection:
        events.put(connection, [event(key) for key in keys])


Make = Callable[..., Sender]


@pytest.fixture
async def sender(db: Database) -> AsyncIterator[Make]:
    """sender(): one over the database; what it sends with is closed at the end."""
    posts: list[Post] = []

    def make(patience: Patience = QUICK) -> Sender:
        posts.append(Post(Policy((ip_network("127.0.0.1/32"),)), Lookup(["127.0.0.1"], 1), 10))
        return Sender(db, posts[-1], Sending(patience))

    yield make
    for post in posts:
        await post.close()


async def until(true: Callable[[], object], turn: Callable[[], Any] | None = None) -> None:
    """Turns until it is true."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never came true"
        if turn:
            await turn()
        await asyncio.sleep(0.01)


def shown(db: Database, webhook: int) -> dict[str, Any]:
    with db.reader() as connection:
        found = webhooks.get(connection, None, webhook)
    assert found is not None
    return found


async def test_one_event_has_one_id_on_every_try_and_outlives_a_killed_sender(db: Database, sender: Make) -> None:
    said = iter([b"HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n"] * 2 + [b""])

    async def talk(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = next(said, TAKEN)
        if not answer:
            raise ConnectionResetError
        writer.write(answer)
        await writer.drain()

    async with serving(talk) as endpoint:
        webhook = add(db, endpoint.port)
        tell(db, "a")
        first = sender()
        await until(lambda: len(endpoint.requests) == 2, first.turn)
        second = sender()  # the first one never stored what it was told last
        await until(lambda: shown(db, webhook)["delivered"] == 1, second.turn)
        await first.finish()
    ids = {line for request in endpoint.requests for line in request.split(b"\r\n") if line.startswith(b"webhook-id")}
    assert len(endpoint.requests) >= 4
    assert ids == {b"webhook-id: evt_1"}


async def test_a_slow_endpoint_delays_nobody(db: Database, sender: Make) -> None:
    async with serving(never) as slow, serving() as quick:
        stuck, free = add(db, slow.port), add(db, quick.port)
        tell(db, *[f"k{number}" for number in range(60)])
        running = sender()
        await until(lambda: shown(db, free)["delivered"] == 60, running.turn)
        assert shown(db, stuck)["queued"] == 60
        assert slow.connections <= 8
        await running.finish()


async def test_what_waits_for_an_endpoint_that_broke_goes_back(db: Database, sender: Make) -> None:
    async with serving(b"HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n") as endpoint:
        webhook = add(db, endpoint.port)
        tell(db, *[f"k{number}" for number in range(50)])
        running = sender(Patience(failures=3, first=timedelta(hours=1)))
        await until(lambda: shown(db, webhook)["state"] == "broken", running.turn)
        hits = len(endpoint.requests)
        for _ in range(5):
            await running.turn()
            await asyncio.sleep(0.02)
        await running.finish()
    assert hits <= len(endpoint.requests) <= 50
    assert shown(db, webhook)["queued"] == 50


async def test_answers_wait_for_a_database_that_is_away(
    db: Database, sender: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as endpoint:
        webhook = add(db, endpoint.port)
        tell(db, "a")
        running = sender()
        await running.turn()
        await running.turn()
        await until(lambda: endpoint.requests)
        await asyncio.sleep(0.05)
        with monkeypatch.context() as away:
            away.setattr(db, "writer", lambda: (_ for _ in ()).throw(DatabaseUnusable("away")))
            with pytest.raises(DatabaseUnusable):
                await running.turn()
        await until(lambda: shown(db, webhook)["delivered"] == 1, running.turn)
    assert len(endpoint.requests) == 1


async def test_a_fault_of_ours_is_a_failed_try(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Post):
        async def send(self, url: str, secrets: Sequence[str], name: str, body: str, at: datetime) -> Answer:
            raise RuntimeError("ours")

    webhook = add(db, 1)
    tell(db, "a")
    running = Sender(db, Broken(Policy(), Lookup(["127.0.0.1"], 1), 1), Sending(QUICK))
    await until(lambda: shown(db, webhook)["failures"] >= 2, running.turn)
    await running.finish()
    assert "RuntimeError: ours" in caplog.text


async def test_at_the_end_what_came_is_stored(db: Database, sender: Make) -> None:
    async with serving() as endpoint:
        webhook = add(db, endpoint.port)
        tell(db, *[f"k{number}" for number in range(5)])
        stopping = asyncio.Event()
        running = asyncio.create_task(sender().run(stopping))
        await until(lambda: len(endpoint.requests) == 5)
        stopping.set()
        await running
    assert shown(db, webhook)["delivered"] == 5


def test_the_process_waits_for_another_one_and_ends_when_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "server", "serve", "--only", "webhooks", "--data-dir", str(tmp_path)]
    with (tmp_path / sending.LOCK).open("wb") as other, log.open("wb") as out:
        fcntl.flock(other, fcntl.LOCK_EX)
        process = subprocess.Popen(command, stderr=out, env={**os.environ, "BOUNCEMX_DNS_SERVERS": '["127.0.0.1"]'})
        try:
            asyncio.run(until((tmp_path / "bouncemx.db").exists))
            assert "sending webhooks" not in log.read_text()
            fcntl.flock(other, fcntl.LOCK_UN)
            asyncio.run(until(lambda: "sending webhooks" in log.read_text()))
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in log.read_text()


def test_the_examples_show_what_is_really_sent(db: Database, outcome_of: Callable[..., Outcome]) -> None:
    with db.writer() as connection:
        (ours,) = messages.register(connection, "default", [("r@mx.example", "b-1")], message_id="<m1@sender.example>")
    hard = outcome_of(1, ours, trust=Trust.PROVEN)
    complaint = outcome_of(2, ours, report=replace(hard.report, kind=Kind.COMPLAINT), bounces=(), suppressions=())
    reply = replace(complaint, mail=replace(hard.mail, position=3), report=replace(hard.report, kind=Kind.AUTO_REPLY))
    detached = outcome_of(4, detectability=Detectability.UNDETECTABLE)
    with db.writer() as connection:
        store(connection, [hard, complaint, reply, detached], "worker", 5)
    with db.reader() as connection:
        told = {each["type"]: list(each["data"]) for each in events.after(connection, None, 0, 100).events}
    assert {"bounce.hard", "complaint", "auto_reply", "capture.undetectable"} <= told.keys()
    assert told == {kind: list(examples()[EventType(kind)].data) for kind in told}
