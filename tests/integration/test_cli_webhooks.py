"""bouncemx webhooks, against an endpoint on loopback."""

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli_fixture import Bouncemx
from tests.integration.test_webhook_post import TAKEN, Endpoint
from tests.integration.webhook_fixture import told_once

SETTINGS = 'webhook_networks_allowed = ["127.0.0.1"]\ndns_servers = ["127.0.0.1"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bouncemx.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """In a thread of its own: the command has a loop of its own too."""
    made, started, loop = Endpoint(TAKEN), threading.Event(), asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        started.set()
        await stopping.wait()
        server.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    yield made
    loop.call_soon_threadsafe(stopping.set)
    thread.join()
    loop.close()


def added(bouncemx: Bouncemx, folder: Path, *options: str, url: str = "https://hooks.example.com/x") -> dict[str, Any]:
    said = bouncemx("webhooks", "add", url, *options, "--json", folder=folder)
    assert (said.code, said.err) == (0, "")
    return said.rows[0]


def test_one_is_made_shown_and_removed(bouncemx: Bouncemx, folder: Path) -> None:
    bouncemx("mint", "ann@x.example", "--account", "acme", folder=folder)
    made = added(bouncemx, folder, "--account", "acme", "--events", "bounce.hard, complaint")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made.pop("secret"))
    assert bouncemx("webhooks", "--json", folder=folder).rows == [made]
    assert (made["account"], made["events"], made["state"]) == ("acme", ["bounce.hard", "complaint"], "enabled")
    table = bouncemx("webhooks", folder=folder).text
    assert "https://hooks.example.com/x" in table
    assert "whsec_" not in table
    assert bouncemx("webhooks", "remove", 1, folder=folder).text == "Webhook 1 is removed.\n"
    assert bouncemx("webhooks", folder=folder).text == "Nothing yet.\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["add", "http://hooks.example.com/", "--account", "nobody"], "there is no account 'nobody'"),
        (
            ["add", "https://hooks.example.com/", "--events", "bounce.hrad"],
            "'bounce.hrad' is not a valid EventType; there",
        ),
        (["add", "https://10.0.0.1/"], "https://10.0.0.1/: 10.0.0.1 is not public: private (RFC 1918)"),
        (["add", "hooks.example.com"], "give an absolute URL"),
        (["history", "7"], "there is no webhook 7: `bouncemx webhooks` shows them"),
        (["queue", "1", "--state", "lost"], "--state lost: there are queued, delivered, superseded, dead"),
        (["redeliver", "1", "12x"], "'12x' is no event"),
        (["redeliver", "1", "--since", "yesterday"], "'yesterday' is no time"),
    ],
)
def test_what_is_wrong_is_told(bouncemx: Bouncemx, folder: Path, words: list[str], why: str) -> None:
    said = bouncemx("webhooks", *words, folder=folder)
    assert (said.code, said.out) == (2, b"")
    assert why in said.err
    assert "Traceback" not in said.err


def test_what_became_of_events(bouncemx: Bouncemx, folder: Path) -> None:
    webhook = told_once(folder)
    assert "oh no" in bouncemx("webhooks", "history", webhook, folder=folder).text
    assert bouncemx("webhooks", "history", webhook, "--json", folder=folder).rows[0]["status"] == 500
    assert bouncemx("webhooks", "queue", webhook, "--state", "dead", folder=folder).text == "Nothing yet.\n"
    (queued,) = bouncemx("webhooks", "queue", webhook, "--json", folder=folder).rows
    assert (queued["state"], queued["tries"], queued["why"]) == ("queued", 1, "HTTP 500")
    assert bouncemx("webhooks", "redeliver", webhook, folder=folder).text == "0 events are queued again.\n"


def test_one_is_switched_off_and_on(bouncemx: Bouncemx, folder: Path) -> None:
    added(bouncemx, folder)
    assert bouncemx("webhooks", "disable", 1, folder=folder).code == 0
    shown = bouncemx("webhooks", "--json", folder=folder).rows[0]
    assert (shown["state"], shown["why"]) == ("disabled", "by command")
    assert bouncemx("webhooks", "enable", 1, folder=folder).code == 0
    assert bouncemx("webhooks", "--json", folder=folder).rows[0]["state"] == "enabled"


def test_an_example_is_sent_and_signed_with_both_secrets(bouncemx: Bouncemx, folder: Path, endpoint: Endpoint) -> None:
    from standardwebhooks.webhooks import Webhook

    made = added(bouncemx, folder, url=f"http://127.0.0.1:{endpoint.port}/")
    told = bouncemx("webhooks", "rotate", 1, "--hours", 1, folder=folder).text
    said = bouncemx("webhooks", "test", 1, "--event", "bounce.soft", folder=folder)
    assert said.code == 0
    assert re.fullmatch(r"Taken: HTTP 200, \d+ ms\n", said.text)
    head, _, body = endpoint.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    for secret in (made["secret"], re.findall(r"whsec_\S+", told)[0]):
        assert Webhook(secret).verify(body, headers)["type"] == "bounce.soft"


def test_an_example_that_is_not_taken(bouncemx: Bouncemx, folder: Path, endpoint: Endpoint) -> None:
    endpoint.talk = b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n"
    added(bouncemx, folder, url=f"http://127.0.0.1:{endpoint.port}/")
    said = bouncemx("webhooks", "test", 1, folder=folder)
    assert said.code == 1
    assert said.text.startswith("Not taken: HTTP 404, ")
