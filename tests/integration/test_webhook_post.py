"""One try, over real sockets and a real DNS server: where it goes, and how much of the answer is read."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from server.webhooks.lookup import Lookup
from server.webhooks.post import Answer, Post
from server.webhooks.signature import new_secret
from server.webhooks.target import Policy
from tests.dns_fixture import Zone

NOW = datetime.now(UTC)
LOOPBACK = Policy((ip_network("127.0.0.1/32"),))
TAKEN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Talk = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Endpoint:
    """Counts connections, keeps requests, and talks as a test says."""

    def __init__(self, talk: Talk | bytes) -> None:
        self.talk, self.port, self.connections = talk, 0, 0
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                octets = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(octets))
                if isinstance(self.talk, bytes):
                    writer.write(self.talk)
                    await writer.drain()
                else:
                    await self.talk(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    talk: Talk | bytes = TAKEN, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(talk)
    server = await asyncio.start_server(endpoint.serve, address, 0, ssl=tls)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()


@asynccontextmanager
async def posting(zone: Zone, policy: Policy = LOOPBACK, seconds: float = 10) -> AsyncIterator[Post]:
    post = Post(policy, Lookup(["127.0.0.1"], zone.port), seconds)
    try:
        yield post
    finally:
        await post.close()


async def send(post: Post, url: str, body: str = "{}") -> Answer:
    return await post.send(url, [new_secret()], "evt_1", body, NOW)


async def once(zone: Zone, url: str, policy: Policy = LOOPBACK, seconds: float = 10) -> Answer:
    async with posting(zone, policy, seconds) as post:
        return await send(post, url)


SPECIAL = {
    "A": "0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.2 169.254.169.254 172.16.0.1 192.168.1.1 224.0.0.1 255.255.255.255",
    "AAAA": ":: ::1 ::ffff:7f00:2 64:ff9b::7f00:2 2002:7f00:2:: fe80::1 fd00:ec2::254 ff02::1 2001:0:4136:e378::1",
}


class TestWhereItGoes:
    @pytest.mark.parametrize(("kind", "address"), [(kind, each) for kind in SPECIAL for each in SPECIAL[kind].split()])
    async def test_no_name_leads_inside(self, zone: Zone, kind: str, address: str) -> None:
        zone.add(f"inside.example. 60 IN {kind} {address}")
        answer = await once(zone, "https://inside.example/")
        assert answer.status is None
        assert "is not public: " in str(answer.detail)
        assert answer.error == "inside.example has no address that webhooks may reach"

    async def test_one_address_inside_is_enough(self, zone: Zone) -> None:
        zone.add("mixed.example. 60 IN A 127.0.0.1\nmixed.example. 60 IN A 10.0.0.1")
        async with serving() as endpoint:
            answer = await once(zone, f"http://mixed.example:{endpoint.port}/")
        assert "10.0.0.1 is not public" in str(answer.detail)
        assert endpoint.connections == 0

    async def test_a_name_that_changes_is_looked_up_once_for_a_connection(self, zone: Zone) -> None:
        """DNS rebinding: whatever the name says next, the connection goes to the address that was looked at."""
        zone.add("rebind.example. 0 IN A 127.0.0.1")
        async with serving() as good, posting(zone) as post:
            assert (await send(post, f"http://rebind.example:{good.port}/")).is_taken
            assert zone.names() == ["rebind.example"] * 2  # A and AAAA
            zone.clear()
            zone.add("rebind.example. 0 IN A 127.0.0.2")
            answer = await send(post, f"http://rebind.example:{good.port}/")
        assert "127.0.0.2 is not public" in str(answer.detail)
        assert good.connections == 1

    async def test_the_name_stands_in_host(self, zone: Zone) -> None:
        zone.add("hooks.example. 60 IN A 127.0.0.1")
        async with serving() as endpoint:
            assert (await once(zone, f"http://HOOKS.example:{endpoint.port}/a%20b?c=d")).is_taken
        lines = endpoint.requests[0].lower().split(b"\r\n")
        assert lines[0] == b"post /a%20b?c=d http/1.1"
        assert f"host: hooks.example:{endpoint.port}".encode() in lines

    async def test_the_next_address_is_tried(self, zone: Zone) -> None:
        zone.add("two.example. 60 IN A 127.0.0.3\ntwo.example. 60 IN A 127.0.0.1")
        async with serving() as endpoint:
            policy = Policy((ip_network("127.0.0.0/8"),))
            assert (await once(zone, f"http://two.example:{endpoint.port}/", policy)).is_taken

    async def test_no_proxy_is_asked(self, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serving() as proxy, serving() as endpoint:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert (await once(zone, f"http://127.0.0.1:{endpoint.port}/")).is_taken
        assert (proxy.connections, endpoint.connections) == (0, 1)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirects_are_not_followed(self, zone: Zone, status: int) -> None:
        async with serving() as inside:
            location = f"location: http://127.0.0.1:{inside.port}/\r\n"
            async with serving(f"HTTP/1.1 {status} x\r\n{location}content-length: 0\r\n\r\n".encode()) as endpoint:
                answer = await once(zone, f"http://127.0.0.1:{endpoint.port}/")
        assert (answer.is_taken, answer.why) == (False, f"HTTP {status}, redirects are not followed")
        assert inside.connections == 0

    async def test_no_cookie_comes_back(self, zone: Zone) -> None:
        cookie = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
        async with serving(cookie) as endpoint, posting(zone) as post:
            for _ in range(2):
                assert (await send(post, f"http://127.0.0.1:{endpoint.port}/")).is_taken
        assert endpoint.connections == 1
        assert not any(b"cookie" in request.lower() for request in endpoint.requests)

    async def test_two_names_at_one_address_share_no_connection(self, zone: Zone) -> None:
        zone.add("one.example. 60 IN A 127.0.0.1\ntwo.example. 60 IN A 127.0.0.1")
        async with serving() as endpoint, posting(zone) as post:
            for name in ("one", "two", "one"):
                assert (await send(post, f"http://{name}.example:{endpoint.port}/")).is_taken
        assert endpoint.connections == 2


class TestNames:
    @pytest.mark.parametrize(
        ("name", "why"), [("missing", "does not exist"), ("empty", "has no address"), ("broken", "do not say where")]
    )
    async def test_a_name_without_an_address(self, zone: Zone, name: str, why: str) -> None:
        zone.txt("empty.example", "nothing else")
        zone.servfail.add("broken.example")
        """What is wrong with it is for the operator: an account could ask our DNS about our network."""
        answer = await once(zone, f"https://{name}.example/")
        assert answer.error == f"{name}.example has no address that webhooks may reach"
        assert why in str(answer.detail)

    async def test_a_slow_zone_delays_nobody_else(self, zone: Zone) -> None:
        zone.silent.add("slow.example")
        async with serving() as endpoint, posting(zone, seconds=1) as post:
            slow = asyncio.create_task(send(post, "https://slow.example/"))
            for _ in range(3):
                assert (await send(post, f"http://127.0.0.1:{endpoint.port}/")).is_taken
            assert not slow.done()
            assert (await slow).error == "no answer within 1 seconds"


async def never(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def endless(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_head(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x: " + b"y" * 65536 + b"\r\n")
        await writer.drain()


async def dribble(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegun")
    await writer.drain()
    await reader.read()


class TestAnswers:
    async def test_silence_ends(self, zone: Zone) -> None:
        async with serving(never) as endpoint:
            answer = await once(zone, f"http://127.0.0.1:{endpoint.port}/", seconds=0.3)
        assert (answer.is_taken, answer.error) == (False, "no answer within 0.3 seconds")

    async def test_an_endless_body_is_cut(self, zone: Zone) -> None:
        async with serving(endless) as endpoint:
            answer = await once(zone, f"http://127.0.0.1:{endpoint.port}/")
        assert (answer.status, answer.excerpt) == (200, "x" * 1000)

    async def test_an_endless_head_is_a_failure(self, zone: Zone) -> None:
        async with serving(endless_head) as endpoint:
            answer = await once(zone, f"http://127.0.0.1:{endpoint.port}/")
        assert answer.status is None
        assert "Error" in str(answer.error)

    async def test_a_body_that_dribbles_is_not_waited_for(self, zone: Zone) -> None:
        async with serving(dribble) as endpoint:
            answer = await once(zone, f"http://127.0.0.1:{endpoint.port}/")
        assert (answer.status, answer.excerpt) == (200, "begun")

    async def test_nothing_is_unpacked(self, zone: Zone) -> None:
        bomb = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"
        async with serving(bomb) as endpoint:
            assert (await once(zone, f"http://127.0.0.1:{endpoint.port}/")).excerpt == "abc"

    @pytest.mark.parametrize(
        "said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"SSH-2.0\r\n", b"\0" * 99]
    )
    async def test_what_is_no_http_is_a_failure(self, zone: Zone, said: bytes) -> None:
        async def talk(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            await writer.drain()
            raise ConnectionResetError

        async with serving(talk) as endpoint:
            answer = await once(zone, f"http://127.0.0.1:{endpoint.port}/")
        assert answer.status is None
        assert answer.error

    async def test_nobody_there_is_a_failure(self, zone: Zone) -> None:
        async with serving() as endpoint:
            pass
        assert "ConnectError" in str((await once(zone, f"http://127.0.0.1:{endpoint.port}/")).error)

    @pytest.mark.parametrize(
        ("given", "seconds"), [("7", 7), ("1e9", None), ("-1", None), ("9999999", None), ("", None)]
    )
    async def test_retry_after_in_seconds(self, zone: Zone, given: str, seconds: int | None) -> None:
        said = f"HTTP/1.1 503 x\r\nretry-after: {given}\r\ncontent-length: 0\r\n\r\n".encode()
        async with serving(said) as endpoint:
            answer = await once(zone, f"http://127.0.0.1:{endpoint.port}/")
        assert (answer.retry_after and answer.retry_after.total_seconds()) == seconds

    async def test_hostile_content_stays_in_the_body(self, zone: Zone) -> None:
        body = '{"diagnostic":"x\\r\\nX-Evil: 1\\r\\n\\r\\nGET / HTTP/1.1","letters":"Grüße \N{SNOWMAN}"}'
        async with serving() as endpoint, posting(zone) as post:
            assert (await send(post, f"http://127.0.0.1:{endpoint.port}/", body)).is_taken
        (request,) = endpoint.requests
        head, _, content = request.partition(b"\r\n\r\n")
        assert content == body.encode()
        assert b"evil" not in head.lower()


class TestTls:
    @pytest.fixture
    def context(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
        """Of a server for hooks.example, whose authority we know."""
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example",
             "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    async def test_the_certificate_is_that_of_the_name(self, zone: Zone, context: ssl.SSLContext) -> None:
        names: list[str | None] = []
        context.sni_callback = lambda socket, name, of: names.append(name)
        zone.add("hooks.example. 60 IN A 127.0.0.1\nother.example. 60 IN A 127.0.0.1")
        async with serving(tls=context) as endpoint, posting(zone) as post:
            assert (await send(post, f"https://hooks.example:{endpoint.port}/")).is_taken
            for host in ("other.example", "127.0.0.1"):
                answer = await send(post, f"https://{host}:{endpoint.port}/")
                assert "CERTIFICATE_VERIFY_FAILED" in str(answer.error)
        assert names[:2] == ["hooks.example", "other.example"]
        assert len(endpoint.requests) == 1
