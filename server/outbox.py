"""What is to be said to a client: held back for a pipelined group, and only as fast as the client reads."""

import asyncio
from typing import Any

_COALESCED_OCTETS = 4096  # of short replies that go out together


class Outbox:
    """Octets in the order in which they are said."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held = b""
        self._transport: Any = None
        self._writable: asyncio.Future[None] | None = None  # while the client does not read
        self._ended = False

    def attach(self, transport: Any) -> None:
        """From now on octets go to this transport."""
        self._transport = transport

    def takes_more(self) -> bool:
        """Whether the client reads what it is told. Sends what is held back where it is much."""
        if len(self._held) > _COALESCED_OCTETS:
            self.send()
        return self._writable is None

    def say(self, line: bytes) -> None:
        self._held += line

    @property
    def all_is_read(self) -> bool:
        """Whether the kernel has taken everything that was sent."""
        return self._writable is None and not self._transport.get_write_buffer_size()

    def send(self) -> None:
        """Sends what is held back, without waiting for the client to read."""
        if self._held and self._transport is not None:
            self._transport.write(self._held)
            self._held = b""

    async def flush(self) -> None:
        """Sends what is held back. Raises ConnectionResetError when the client has left."""
        self.send()
        if self._ended:
            raise ConnectionResetError
        if self._writable is not None:
            await self._writable

    def pause(self) -> None:
        self._writable = self._loop.create_future()

    def resume(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def end(self) -> None:
        """The client has left."""
        self._ended = True
        self._held = b""
        self.resume()
