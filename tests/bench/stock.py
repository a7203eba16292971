"""Stock aiosmtpd with the same durability: 250 after the same journal's group commit. stock.py FOLDER PORT LOOP"""

import asyncio
import logging
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP

from handlers.envelope import Envelope
from server.group_commit import GroupCommit
from storage.journal import Writer


class Handler:
    def __init__(self, commit: GroupCommit) -> None:
        self._commit = commit

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        taken = Envelope("", tuple(envelope.rcpt_tos), session.host_name, session.peer[0], datetime.now(UTC))
        written = asyncio.get_running_loop().create_future()
        self._commit.put(taken, envelope.content, written.set_result)
        await written
        return "250 Ok"


async def serve(folder: Path, port: int) -> None:
    loop = asyncio.get_running_loop()
    with Writer(folder / "journal") as writer:
        handler = Handler(GroupCommit(writer, loop, lambda: 0))
        # the protocol is named: without it asyncio leaves Nagle's algorithm on, and stock would look bad for no reason
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        server = await loop.create_server(
            lambda: SMTP(handler, hostname="mx.example.test", loop=loop, enable_SMTPUTF8=True),
            sock=listener,
            backlog=512,
        )
        await server.serve_forever()


if __name__ == "__main__":
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    run = uvloop.run if sys.argv[3] == "uvloop" else asyncio.run
    run(serve(Path(sys.argv[1]), int(sys.argv[2])))
