"""DATA: the mail itself, read in chunks with flat memory.

Only CRLF.CRLF ends it (RFC 5321 4.1.1.4): nothing else is taken for an end, so nothing can be smuggled. Lines may
have any length, because those of real bounces do.
"""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from handlers import replies
from handlers.envelope import Envelope
from handlers.received import received_line
from handlers.replies import Reply

if TYPE_CHECKING:
    from server.session import Session

_END = b"\r\n.\r\n"
_FIRST_RESERVE = 64 << 10


class Content:
    """The octets of one mail until its end is found. Past the limit they are counted and dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # a line end in front: the end and the leading dots then need no special case on the first line
        self._buffer = bytearray(b"\r\n")
        self.octets = 0
        self.too_big = False
        self.dropped = False

    def feed(self, chunk: bytes) -> bytes | None:
        """Takes a chunk. None: go on. Otherwise the mail has ended, and this came behind it."""
        buffer = self._buffer
        start = max(0, len(buffer) - len(_END) + 1)
        buffer += chunk
        self.octets += len(chunk)
        end = buffer.find(_END, start)
        if end >= 0:
            rest = bytes(memoryview(buffer)[end + len(_END) :])
            del buffer[end + 2 :]
            self.octets -= len(rest)
            self.too_big = self.too_big or len(buffer) > self._limit + 2
            return rest
        self.too_big = self.too_big or len(buffer) > self._limit + len(_END)
        if self.too_big or self.dropped:
            del buffer[: -len(_END)]
        return None

    def drop(self) -> None:
        """Keeps nothing more of it: only its end is still waited for."""
        self.dropped = True

    @property
    def kept_octets(self) -> int:
        return len(self._buffer)

    def take(self, before: bytes) -> bytes:
        """The mail without its transparency dots (RFC 5321 4.5.2), behind `before`. Empties this."""
        buffer = self._buffer
        if b"\r\n." in buffer:
            buffer = buffer.replace(b"\r\n.", b"\r\n")
        self._buffer = bytearray()
        return b"".join((before, memoryview(buffer)[2:]))


async def data(session: "Session", argument: str) -> Reply | bytes:
    """The verb: refuses early, reads, stores, answers 250 only when the mail is on disk."""
    refusal = _refusal(session, argument)
    if refusal:
        return refusal
    session.begin_data()
    reserved = Reserved(session)
    try:
        session.outbox.say(replies.START_DATA.line)
        await session.outbox.flush()
        content = await _read(session, reserved)
        if isinstance(content, Reply):
            return content
        return await _capture(session, content, reserved)
    finally:
        reserved.release()
        session.transaction = type(session.transaction)()
        session.end_data()


class Reserved:
    """This mail's part of the memory for mail in flight."""

    def __init__(self, session: "Session") -> None:
        self._usage = session.service.usage
        self._octets = _FIRST_RESERVE  # taken by _refusal()

    def grow_to(self, octets: int) -> bool:
        """False where there is no room for so many."""
        wanted = max(octets, _FIRST_RESERVE)
        if not self._usage.reserve(wanted - self._octets):
            return False
        self._octets = wanted
        return True

    def release(self) -> None:
        self._usage.release(self._octets)
        self._octets = 0

    def release_after(self, written: asyncio.Future[int]) -> None:
        """Until then the mail is in memory, whether or not its client waits."""
        octets, self._octets = self._octets, 0
        written.add_done_callback(lambda _: self._usage.release(octets))


def _refusal(session: "Session", argument: str) -> Reply | None:
    if argument:
        return replies.SYNTAX
    if session.transaction.reverse_path is None:
        return replies.NEED_MAIL
    if not session.transaction.forward_paths:
        return replies.NEED_RCPT
    if not session.service.has_room(0):
        return replies.NO_SPACE
    if not session.service.usage.reserve(_FIRST_RESERVE):
        return replies.BUSY
    return None


async def _read(session: "Session", reserved: Reserved) -> Content | Reply:
    """The mail, or why not. Raises ConnectionError when the client leaves in the middle."""
    limit = session.service.limits.message_octets
    content = Content(limit)
    rest = None
    while rest is None:
        chunk = await session.inbox.chunk()
        if not chunk:
            raise ConnectionResetError
        session.progress()
        rest = content.feed(chunk)
        if not reserved.grow_to(content.kept_octets):
            content.drop()
        if content.octets > 2 * limit:
            return replies.TOO_BIG_CLOSING
    session.inbox.put_back(rest)
    if content.too_big:
        return replies.TOO_BIG
    return replies.BUSY if content.dropped else content


async def _capture(session: "Session", content: Content, reserved: Reserved) -> Reply | bytes:
    envelope = _envelope(session)
    raw = content.take(received_line(envelope, session.service.hostname))
    written = session.service.commit.put(envelope, raw)
    reserved.release_after(written)
    try:
        # the client may leave now; what it sent is stored all the same
        position = await asyncio.shield(written)
    except OSError:
        return replies.NO_SPACE
    session.idle_commands = 0
    return replies.CAPTURED.with_text(str(position))


def _envelope(session: "Session") -> Envelope:
    transaction = session.transaction
    protocol = ("UTF8SMTP" if transaction.smtputf8 else "ESMTP") if session.extended else "SMTP"
    return Envelope(
        reverse_path=transaction.reverse_path or "",
        forward_paths=tuple(transaction.forward_paths),
        helo=session.helo,
        client=session.client,
        received_at=datetime.now(UTC),
        protocol=protocol + ("S" if session.over_tls and session.extended else ""),
        tls=session.tls,
    )
