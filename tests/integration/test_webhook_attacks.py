"""What an account can try with the URL of a webhook, and an endpoint with its answers: made by the API, sent for real.

test_webhook_target.py has every form of a URL, test_webhook_post.py every kind of answer.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from starlette.testclient import TestClient

from server import webhooks as sending
from server.settings import Settings
from server.webhooks.patience import Patience
from server.webhooks.post import Post
from server.webhooks.sender import Sender, Sending
from storage import events, webhook_tries, webhooks
from storage.database import Database
from tests.dns_fixture import Zone
from tests.integration.api_fixture import Api
from tests.integration.database_fixture import migrated
from tests.integration.desk_fixture import ANN, Desk, dsn
from tests.integration.test_webhook_post import TAKEN, serving
from tests.integration.webhook_fixture import SECRET, event

# what is tried -> the URL, whether the API sees it at once; a name is looked at when it is sent to
INSIDE = {
    "loopback": ("https://127.0.0.1/", True),
    "loopback, another one": ("https://127.8.9.1/", True),
    "loopback in IPv6": ("https://[::1]/", True),
    "loopback, mapped": ("https://[::ffff:127.0.0.1]/", True),
    "loopback, mapped in hex": ("https://[::ffff:7f00:1]/", True),
    "loopback behind NAT64": ("https://[64:ff9b::7f00:1]/", True),
    "loopback in one number": ("https://2130706433/", True),
    "loopback in hex": ("https://0x7f000001/", True),
    "loopback in octal": ("https://0177.0.0.1/", True),
    "loopback, short": ("https://127.1/", True),
    "loopback in other digits": ("https://①②⑦.⓪.⓪.①/", True),
    "this host": ("https://localhost/", True),
    "this host, deeper": ("https://hooks.localhost/", True),
    "this network": ("https://0.0.0.0/", True),
    "unspecified": ("https://[::]/", True),
    "private": ("https://10.0.0.1/", True),
    "private in IPv6": ("https://[fd00:ec2::254]/", True),
    "metadata of a cloud": ("https://169.254.169.254/latest/meta-data/", True),
    "a user before the host": ("https://hooks.example.com@127.0.0.1/", True),
    "a backslash": ("https://hooks.example.com\\@127.0.0.1/", True),
    "a line end": ("https://hooks.example.com/\r\nHost: 127.0.0.1", True),
    "another port": ("https://8.8.8.8:25/", True),
    "no TLS": ("http://8.8.8.8/", True),
    "a file": ("file:///etc/passwd", True),
    "another protocol": ("gopher://127.0.0.1:25/_MAIL", True),
    "a name that leads inside": ("https://inside.example/", False),
    "a name that leads inside, in IPv6": ("https://inside6.example/", False),
    "an alias that leads inside": ("https://alias.example/", False),
    "a name that leads inside, among others": ("https://mixed.example/", False),
    "a name of the hosts file": ("https://ip6-localhost/", False),
}
ZONE = """\
inside.example. 60 IN A 127.0.0.1
inside6.example. 60 IN AAAA ::1
alias.example. 60 IN CNAME inside.example.
mixed.example. 60 IN A 8.8.8.8
mixed.example. 60 IN A 127.0.0.1
"""
FIELDS = {"host", "content-type", "user-agent", "accept-encoding", "content-length"} | {
    f"webhook-{each}" for each in ("id", "timestamp", "signature")
}
ONCE = Patience(first=timedelta(hours=1))


@pytest.fixture
def api(tmp_path: Path, zone: Zone) -> Any:
    zone.add(ZONE)
    url = migrated(tmp_path)
    with Database(url, checkpoints=True) as database:
        yield Api(database, Settings(data_dir=tmp_path, dns_servers=("127.0.0.1",), dns_port=zone.port))


@asynccontextmanager
async def sender(database: Database, settings: Settings) -> AsyncIterator[Sender]:
    """As the process for webhooks has it."""
    async with sending.post(settings) as post:
        yield Sender(database, post, Sending(ONCE))


async def tried(database: Database, running: Sender, webhook: int) -> dict[str, Any]:
    """What came of its first try."""
    async with asyncio.timeout(30):
        while True:
            await running.turn()
            with database.reader() as connection:
                found = webhook_tries.history(connection, None, webhook)
            if found:
                return dict(found[0])
            await asyncio.sleep(0.01)


def made(client: TestClient, url: str) -> int:
    answer = client.post("/webhooks", json={"url": url})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def test_the_api_takes_no_such_url(api: Api, subtests: pytest.Subtests) -> None:
    client = api.client("shop")
    good = made(client, "https://hooks.example.com/")
    for name, (url, at_once) in INSIDE.items():
        with subtests.test(name):
            answers = [
                client.post("/webhooks", json={"url": url}),
                client.patch(f"/webhooks/{good}", json={"url": url}),
            ]
            assert [each.status_code for each in answers] == ([422, 422] if at_once else [201, 200])
            assert not at_once or {each.json()["errors"][0]["field"] for each in answers} == {"url"}


async def test_nobody_is_contacted(api: Api, zone: Zone, reached: list[Any], subtests: pytest.Subtests) -> None:
    """Not even where the URL was stored under wider settings."""
    with api.database.writer() as connection:
        stored = {
            name: int(webhooks.add(connection, None, url, [], SECRET, datetime.now(UTC))["id"])
            for name, (url, _) in INSIDE.items()
        }
        events.put(connection, [event("told")])
    client = api.client(None)
    async with sender(api.database, api.settings) as running:
        for name, webhook in stored.items():
            with subtests.test(name):
                assert (await tried(api.database, running, webhook))["status"] is None
                shown = client.get(f"/webhooks/{webhook}/tries").json()["items"][0]["error"]
                assert INSIDE[name][1] or shown.endswith(" has no address that webhooks may reach")
        await running.finish()
    assert [each for each in reached if each != ("127.0.0.1", zone.port)] == []


async def test_one_that_may_be_reached_is(api: Api, reached: list[Any]) -> None:
    """So the tests above can fail."""
    api.settings = api.settings.model_copy(update={"webhook_networks_allowed": ("127.0.0.1/32",)})
    async with serving() as endpoint, sender(api.database, api.settings) as running:
        with api.database.writer() as connection:
            url = f"http://127.0.0.1:{endpoint.port}/"
            webhook = int(webhooks.add(connection, None, url, [], SECRET, datetime.now(UTC))["id"])
            events.put(connection, [event("told")])
        assert (await tried(api.database, running, webhook))["status"] == 200
    assert ("127.0.0.1", endpoint.port) in reached


async def test_an_endless_answer_is_not_read(api: Api) -> None:
    written = 0

    async def endless(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(TAKEN.partition(b"\r\n")[0] + b"\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    policy = sending.Policy((ip_network("127.0.0.1/32"),))
    async with serving(endless) as endpoint:
        post = Post(policy, sending.Lookup(["127.0.0.1"], 1), 10)
        answer = await post.send(f"http://127.0.0.1:{endpoint.port}/", [SECRET], "evt_1", "{}", datetime.now(UTC))
        await post.close()
    assert (answer.status, len(answer.excerpt or "")) == (200, 1000)
    assert written < 32 << 20  # what fits into the buffers of two sockets


async def test_what_a_mail_says_stays_in_the_body(desk: Desk) -> None:
    hostile = '550 5.1.1 no\u2028\u202e</script>"}],X-Evil: 1\tGET / HTTP/1.1 \x00\x1b[2J'
    said = hostile.encode() + b"\r\n X-Evil: 2\r\n\t\r\r X: 3"
    raw = dsn(ANN).replace(f"550 5.1.1 <{ANN}>: User unknown".encode(), said)
    async with serving() as endpoint:
        settings = desk.settings.model_copy(update={"webhook_networks_allowed": ("127.0.0.1/32",)})
        with desk.database.writer() as connection:
            url = f"http://127.0.0.1:{endpoint.port}/"
            webhook = int(webhooks.add(connection, None, url, ["bounce.hard"], SECRET, datetime.now(UTC))["id"])
        desk.take(raw, desk.mint("m1")[ANN])
        async with sender(desk.database, settings) as running:
            assert (await tried(desk.database, running, webhook))["status"] == 200
    head, _, content = endpoint.requests[0].partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert {each.lower() for each in fields} == FIELDS
    assert Webhook(SECRET).verify(content, fields) == json.loads(content)
    assert "X-Evil: 1" in json.loads(content)["data"]["diagnostic"]
