"""DATA: the mail itself, read in chunks with flat memory.

Only CRLF.CRLF ends it (RFC 5321 4.1.1.4): nothing else is taken for an end, so nothing can be smuggled. Lines may
have any length, because those of real bounces do.
"""

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from handlers import replies
from handlers.envelope import Envelope
from handlers.received import received_line
from handlers.replies import Reply

if TYPE_CHECKING:
    from server.session import Session

log = logging.getLogger("bouncemx.smtp")

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


def data(session: "Session", argument: str) -> Reply:
    """The verb: refuses early. What comes behind 354 goes to a Reception."""
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
    session.begin_mail(Reception(session))
    return replies.START_DATA


class Reception:
    """One mail on its way in, from 354 until it is refused or on disk. By callbacks: a task would cost more."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._content = Content(session.service.limits.message_octets)
        self._reserved = _FIRST_RESERVE  # octets of the memory for mail in flight
        self.is_whole = False  # the journal has it, and the client is told when it is on disk

    def take(self, chunk: bytes) -> Reply | None:
        """What came of the mail. None: it goes on, or the journal has it; else why it is not taken."""
        content, limit = self._content, self._session.service.limits.message_octets
        rest = content.feed(chunk)
        if not self._grow_to(content.kept_octets):
            content.drop()
        if content.octets > 2 * limit:
            return replies.TOO_BIG_CLOSING
        if rest is None:
            return None
        self._session.inbox.put_back(rest)
        if content.too_big:
            return replies.TOO_BIG
        if content.dropped:
            return replies.BUSY
        self._capture()
        return None

    def end(self) -> None:
        """It was refused, or its client is gone. A whole mail stays, and its memory is taken until it is on disk."""
        if not self.is_whole:
            self._release()

    def _grow_to(self, octets: int) -> bool:
        """False where there is no room for so many."""
        wanted = max(octets, _FIRST_RESERVE)
        if not self._session.service.usage.reserve(wanted - self._reserved):
            return False
        self._reserved = wanted
        return True

    def _release(self) -> None:
        self._session.service.usage.release(self._reserved)
        self._reserved = 0

    def _capture(self) -> None:
        service = self._session.service
        envelope = _envelope(self._session)
        raw = self._content.take(received_line(envelope, service.hostname))
        service.commit.put(envelope, raw, self._written)
        self.is_whole = True

    def _written(self, result: int | Exception) -> None:
        self._release()
        session = self._session
        if isinstance(result, int):
            session.idle_commands = 0
            session.tell(replies.CAPTURED.with_text(str(result)))
        elif isinstance(result, OSError):
            session.tell(replies.NO_SPACE)
        else:
            log.error("a mail could not be written", exc_info=result)
            session.tell(replies.INTERNAL)


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
