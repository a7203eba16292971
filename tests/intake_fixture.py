"""A running intake in the test's event loop: real sockets, a real journal in the test's folder."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers.envelope import Envelope, Mail
from handlers.keys import account_key
from handlers.verp import mint, mint_base
from server import intake, sockets
from server.service import Service
from server.session import Session
from server.settings import Settings
from server.verbs import VERBS
from storage import journal
from storage.keyring import KeyFile

DOMAIN = "bounces.test"
HOSTNAME = "mx.bounces.test"
PATIENCE = 20.0  # seconds after which a test gives up; no test waits that long


def minted(data_dir: Path) -> dict[str, str]:
    """Local parts of every kind, signed with the keys of this data folder (see tests/dialogues/README.md)."""
    key = account_key(KeyFile(data_dir).ring(), 1)
    today = datetime.now(UTC).date()

    def aged(days: int, domain: str = DOMAIN) -> str:
        return mint(key, domain, "jane@example.org", today - timedelta(days))

    token = aged(0)
    return {
        "token": token,
        "token2": aged(0),
        "upper": token.upper(),
        "late": aged(100),
        "expired": aged(200),
        "ahead": aged(-30),
        "forged": token[:-1] + ("a" if token[-1] != "a" else "b"),
        "other_domain": aged(0, "other.test"),
        "base": mint_base(key, DOMAIN, today),
        "domain": DOMAIN,
        "host": HOSTNAME,
    }


@dataclass(slots=True)
class Client:
    """An SMTP client that does what the test says, no more."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> str:
        """One line of a reply, without its CRLF; "" where the server has closed."""
        async with asyncio.timeout(PATIENCE):
            line = await self.reader.readline()
        assert line.endswith(b"\r\n") or not line, line
        return line.removesuffix(b"\r\n").decode("ascii")

    async def reply(self) -> str:
        """A whole reply, its lines joined by LF."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return "\n".join(lines)

    async def ask(self, command: str) -> str:
        await self.send(command.encode() + b"\r\n")
        return await self.reply()

    async def rest(self) -> bytes:
        """Everything that comes until the server closes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:  # what the server said before is here all the same
                return bytes(self.reader._buffer)  # type: ignore[attr-defined]

    async def until_data(self, forward_path: str) -> None:
        """Brings the session to where the mail itself is expected."""
        for command, code in (
            ("EHLO client.example", "250"),
            ("MAIL FROM:<>", "250"),
            (f"RCPT TO:<{forward_path}>", "250"),
            ("DATA", "354"),
        ):
            reply = await self.ask(command)
            assert reply.startswith(code), (command, reply)

    async def start_tls(self) -> None:
        """The client's side of STARTTLS; the server's certificate is not looked at."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        assert (await self.ask("STARTTLS")).startswith("220 ")
        async with asyncio.timeout(PATIENCE):
            await self.writer.start_tls(context)

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        """Goes away so that the server is told (RST): of a close it can't know whether the client still listens."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()


@dataclass(slots=True)
class Intake:
    """One intake, and what a test wants of it."""

    service: Service
    settings: Settings
    writer: Any
    server: asyncio.Server
    clients: list[Client]

    @property
    def port(self) -> int:
        return int(self.server.sockets[0].getsockname()[1])

    @property
    def token(self) -> str:
        return minted(self.settings.data_dir)["token"] + "@" + DOMAIN

    async def connect(self, source: str = "127.0.0.1", limit: int = 1 << 16) -> Client:
        streams = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0), limit=limit)
        self.clients.append(Client(*streams))
        return self.clients[-1]

    async def greeted(self, source: str = "127.0.0.1") -> Client:
        client = await self.connect(source)
        greeting = await client.reply()
        assert greeting.startswith("220 "), greeting
        return client

    async def deliver(self, raw: bytes, source: str = "127.0.0.1") -> str:
        """One mail over a connection of its own; the reply to its final dot."""
        client = await self.greeted(source)
        await client.until_data(self.token)
        await client.send(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        reply = await client.reply()
        client.close()
        return reply

    def captured(self) -> list[Mail]:
        """What is on disk for the worker."""
        return [found.mail for found in journal.frames(self.settings.journal)]

    async def empty(self) -> None:
        """Waits until every session is over."""
        await until(lambda: not self.service.sessions)

    async def stop(self) -> None:
        for client in self.clients:
            client.abort()
        self.server.close()
        await intake.drain(self.service, 0.01)
        await self.service.commit.close()
        self.writer.close()


class Gated(journal.Writer):
    """Writes when it may."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.begun = threading.Event()
        self.may_write = threading.Event()

    def write(self, batch: Sequence[tuple[Envelope, bytes]]) -> list[int]:
        self.begun.set()
        assert self.may_write.wait(PATIENCE)
        return super().write(batch)


def body(mail: Mail) -> bytes:
    """A captured mail without our own Received field."""
    lines = mail.raw.split(b"\r\n")
    assert lines[0].startswith(b"Received: from ")
    first = next(n for n, line in enumerate(lines) if n and not line.startswith(b"\t"))
    return b"\r\n".join(lines[first:])


async def until(holds: Callable[[], bool]) -> None:
    """Waits for what nobody tells of."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - that is what it is for
            await asyncio.sleep(0.001)


StartIntake = Callable[..., Awaitable[Intake]]


@pytest.fixture
async def start_intake(tmp_path: Path) -> AsyncIterator[StartIntake]:
    """start_intake(limits={...}, store=..., **settings) -> Intake; `store(folder)` makes the writer."""
    async with contextlib.AsyncExitStack() as running:

        async def start(
            limits: dict[str, Any] | None = None,
            store: Callable[[Path], Any] = journal.Writer,
            **settings: Any,
        ) -> Intake:
            given = Settings(
                data_dir=tmp_path,
                hostname=HOSTNAME,
                return_path_domain=DOMAIN,
                limits={"reserve_octets": 0, **(limits or {})},
                **settings,
            )
            writer = store(given.journal)
            service = intake.compose(given, writer, asyncio.get_running_loop())
            (listener,) = sockets.listen("127.0.0.1:0")
            server = await service.loop.create_server(lambda: Session(service, VERBS), sock=listener)
            started = Intake(service, given, writer, server, [])
            running.push_async_callback(started.stop)
            return started

        yield start
