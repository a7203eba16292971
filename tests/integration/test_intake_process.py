"""The intake as its own process: started like systemd does, killed like power cuts do."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import journal
from tests.intake_fixture import DOMAIN, PATIENCE, Client, body, minted

# what systemd does: the socket is number 3, and LISTEN_PID says whose it is
_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-P", "-m", "server", "serve", "--only", "intake", *sys.argv[2:]])
"""


class Process:
    """An intake on a socket that outlives it, so that clients wait while it is started again."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(folder / "notify"))
        self.told.settimeout(PATIENCE)
        self.environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "BOUNCEMX_RETURN_PATH_DOMAIN": DOMAIN,
            "BOUNCEMX_LIMITS": '{"reserve_octets": 0, "drain_timeout": 1}',
        }
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        fd = self.listener.fileno()
        command = [sys.executable, "-c", _ACTIVATE, str(fd), "--data-dir", str(self.data_dir)]
        self.running = subprocess.Popen(command, pass_fds=[fd], env=self.environment, stderr=subprocess.DEVNULL)

    def wait_for(self, state: bytes) -> None:
        assert self.told.recv(100) == state

    def end(self, number: int) -> int:
        assert self.running is not None
        self.running.send_signal(number)
        return self.running.wait(PATIENCE)

    def close(self) -> None:
        if self.running and self.running.poll() is None:
            self.end(signal.SIGKILL)
        self.listener.close()
        self.told.close()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process(tmp_path)
    yield started
    started.close()


async def connect(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


async def test_it_takes_the_socket_of_systemd_and_tells_when_it_is_ready(process: Process) -> None:
    process.start()
    await asyncio.to_thread(process.wait_for, b"READY=1")
    client = await connect(process.port)
    assert (await client.reply()).startswith("220 ")
    assert process.end(signal.SIGTERM) == 0
    process.wait_for(b"STOPPING=1")
    assert (await client.rest()).startswith(b"421 4.3.2 ")
    client.close()


async def test_kill_9_under_load_loses_nothing_and_stores_nothing_twice(process: Process) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    process.start()
    await asyncio.to_thread(process.wait_for, b"READY=1")
    address = minted(process.data_dir)["token"] + "@" + DOMAIN
    load = Load(process.port, address)
    sending = [asyncio.ensure_future(load.run(number)) for number in range(4)]
    for kill in range(1, 4):
        await load.reached(100 * kill)
        await asyncio.sleep(chance.random() * 0.02)
        process.end(signal.SIGKILL)
        process.start()
        await asyncio.to_thread(process.wait_for, b"READY=1")
    await load.reached(400)
    load.stopping = True
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*sending)
    assert process.end(signal.SIGTERM) == 0
    captured = [body(found.mail) for found in journal.frames(process.data_dir / "journal")]
    assert len(captured) == len(set(captured)), seed
    assert load.acknowledged <= set(captured), seed
    assert set(captured) <= load.sent, seed  # whole and unchanged
    assert len(load.acknowledged) >= 400


class Load:
    """Clients that send numbered mails, each of them once, and note what was acknowledged."""

    def __init__(self, port: int, address: str) -> None:
        self.port, self.address = port, address
        self.sent: set[bytes] = set()
        self.acknowledged: set[bytes] = set()
        self.stopping = False
        self._changed = asyncio.Condition()

    async def reached(self, number: int) -> None:
        async with asyncio.timeout(3 * PATIENCE), self._changed:
            await self._changed.wait_for(lambda: len(self.acknowledged) >= number)

    async def run(self, name: int) -> None:
        number = 0
        while not self.stopping:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, AssertionError):
                client = await connect(self.port)
                try:
                    await client.reply()
                    while not self.stopping:
                        number += 1
                        await self._one(client, b"%d-%d\r\n" % (name, number) * (1 + number * 97 % 700))
                finally:
                    client.abort()

    async def _one(self, client: Client, mail: bytes) -> None:
        await client.until_data(self.address)
        self.sent.add(mail)
        await client.send(mail + b".\r\n")
        if (await client.reply()).startswith("250 "):
            async with self._changed:
                self.acknowledged.add(mail)
                self._changed.notify_all()
