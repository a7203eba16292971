"""An endpoint that fails half the time, in every way there is; what it took stands in a file before it says so.

python -m tests.e2e.webhook_receiver PORT FILE SECRET FAILS
"""

import asyncio
import json
import os
import random
import sys
from collections import Counter

from standardwebhooks.webhooks import Webhook

_IN_A_ROW = 8  # failures of one event, or the run waits for the last one's pauses
WAYS = ("500", "302", "cut before", "cut behind")  # the last one has taken it, and says nothing


class Receiver:
    """Answers on kept connections."""

    def __init__(self, file: str, secret: str, fails: float) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._webhook, self._fails = Webhook(secret), fails
        self._failed: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await reader.readexactly(int(headers["content-length"]))
        fails = random.random() < self._fails and self._failed[headers["webhook-id"]] < _IN_A_ROW
        self._failed[headers["webhook-id"]] += fails
        way = random.choice(WAYS) if fails else "200"
        if way in ("200", "cut behind"):
            self._take(headers, body)
        if way.startswith("cut"):
            return False
        location = "location: /elsewhere\r\n" if way == "302" else ""
        writer.write(f"HTTP/1.1 {way} x\r\n{location}content-length: 0\r\n\r\n".encode())
        return True

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        content = self._webhook.verify(body, headers)
        assert content["id"] == headers["webhook-id"]
        os.write(self._file, json.dumps(content).encode() + b"\n")  # one write: a kill leaves no half line


async def main(port: str, file: str, secret: str, fails: str) -> None:
    server = await asyncio.start_server(Receiver(file, secret, float(fails)).serve, "127.0.0.1", int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
