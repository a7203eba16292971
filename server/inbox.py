"""What a client has sent and nobody has read yet.

asyncio's StreamReader reads by lines or by octets, but can't look at what is there without waiting, nor take
octets back. Both are needed: to answer a pipelined group at once, and to read DATA in chunks.
"""

import asyncio
from typing import Protocol

PAUSE_OCTETS = 256 << 10  # more than this waits in the kernel


class Pausable(Protocol):
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class LineTooLong(Exception):
    """A line was longer than allowed; it has been read to its end."""


class Inbox:
    """Octets in order of arrival. One reader at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buffer = bytearray()
        self._searched = 0  # of these no octet is a line's end
        self._skipping = False  # the rest of a line that is too long
        self._transport: Pausable | None = None
        self._paused = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def attach(self, transport: Pausable) -> None:
        """From now on the octets come from this transport; what came before is forgotten (RFC 3207 4.2)."""
        self._buffer.clear()
        self._searched, self._skipping = 0, False
        self._transport = transport
        self._paused = False

    def feed(self, data: bytes) -> None:
        self._buffer += data
        if self._waiter is not None:
            self._wake()
        if not self._paused and len(self._buffer) > PAUSE_OCTETS and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True

    def end(self) -> None:
        """The client will send nothing more."""
        self._ended = True
        self._wake()

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    @property
    def ended(self) -> bool:
        """Whether the client sends nothing more: what is left of a line is none."""
        return self._ended

    def take_line(self, most: int) -> bytes | None:
        """The next line without its end; None where none is whole yet.

        Raises LineTooLong as soon as the line has been read away.
        """
        at = self._buffer.find(b"\n", self._searched)
        if at < 0:
            self._searched = len(self._buffer)
            if self._skipping or self._searched > most + 1:  # the one more may be the CR of its end
                self._skipping = True
                self._take(self._searched)
            return None
        line = bytes(self._buffer[:at]).removesuffix(b"\r")
        self._take(at + 1)
        if self._skipping or len(line) > most:
            self._skipping = False
            raise LineTooLong
        return line

    def take(self) -> bytes:
        """Everything that is here."""
        data = bytes(self._buffer)
        self._take(len(data))
        return data

    def put_back(self, data: bytes | bytearray) -> None:
        """What was read too far is read next."""
        self._buffer[:0] = data
        self._searched = 0

    # the three that aiosmtpd's PROXY protocol reads with (its AsyncReader)

    async def read(self, n: int = -1) -> bytes:
        """Some octets, n at the most, waiting for them; b"" at the end."""
        if not self._buffer and not await self._more():
            return b""
        data = self.take()
        if 0 <= n < len(data):
            self.put_back(data[n:])
            return data[:n]
        return data

    async def readexactly(self, n: int) -> bytes:
        while len(self._buffer) < n:
            if not await self._more():
                raise asyncio.IncompleteReadError(bytes(self._buffer), n)
        data = bytes(self._buffer[:n])
        self._take(n)
        return data

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        while (at := self._buffer.find(separator)) < 0:
            if len(self._buffer) > 4096 or not await self._more():
                raise asyncio.IncompleteReadError(bytes(self._buffer[:100]), None)
        return await self.readexactly(at + len(separator))

    def _take(self, n: int) -> None:
        del self._buffer[:n]
        self._searched = 0
        if self._paused and len(self._buffer) < PAUSE_OCTETS // 2 and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    async def _more(self) -> bool:
        if self._ended:
            return False
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
