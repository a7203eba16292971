"""One SMTP connection: aiosmtpd's protocol with its own reading, deadlines, limits and replies.

aiosmtpd 1.4.6 keeps the parts that it does well (transports, STARTTLS). What it does not do for an MX on the open
Internet is done here; docs/decisions.md lists each override with its reason. The verbs are in verbs.py.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP

from handlers import replies
from handlers.replies import Reply
from server import proxy
from server.deadlines import Deadlines
from server.inbox import Inbox, LineTooLong
from server.outbox import Outbox
from server.service import Service

if TYPE_CHECKING:
    from server.data import Reception

log = logging.getLogger("bouncemx.smtp")

COMMAND_OCTETS = 2048  # RFC 5321 4.5.3.1.4 wants 512 at least, extensions add to it
_HELD_REPLIES_OCTETS = 64 << 10
_LAST_WORDS = 10.0  # seconds that a client has to read what was said before the end

_SAID = (Reply, bytes)  # a union here costs more than the verb

Verb = Callable[["Session", str], Reply | bytes | Awaitable[Reply | bytes]]


@dataclass(slots=True)
class Transaction:
    """The buffers of RFC 5321 4.1.1.4."""

    reverse_path: str | None = None  # None before MAIL
    forward_paths: list[str] = field(default_factory=list)
    smtputf8: bool = False


class Session(SMTP):
    """One client, from connect to close."""

    def __init__(self, service: Service, verbs: dict[str, Verb]) -> None:
        # aiosmtpd's constructor inspects handler and class for each connection, and asyncio's makes streams that are
        # not used here: together a third of a connection's time. What STARTTLS needs of them is set instead.
        loop = service.loop
        self.loop = loop
        self.hostname = service.hostname
        self.tls_context = service.tls.context
        self.transport = None
        self._tls_protocol = self._original_transport = self._handler_coroutine = None
        self.service = service
        self.verbs = verbs
        self.inbox = Inbox(loop)
        self.outbox = Outbox(loop)
        self.transaction = Transaction()
        self.helo = ""  # "" before EHLO and HELO
        self.extended = False  # EHLO, not HELO
        self.client = ""
        self.reception: Reception | None = None  # between DATA and its reply: a drain waits for that
        self.errors = 0  # of the session
        self.idle_commands = 0  # NOOP, RSET, EHLO and the like since the last mail
        self.over_tls = False  # not before the handshake is done
        self._counted: str | None = None
        self.deadlines = Deadlines(loop, service.limits, self._too_late)

    # --- connection

    def connection_made(self, transport: Any) -> None:
        """Called twice where STARTTLS comes in between."""
        self.transport = transport
        self.inbox.attach(transport)  # octets sent in clear behind STARTTLS are forgotten (RFC 3207 4.2)
        self.outbox.attach(transport)
        if self._original_transport is not None:
            self.over_tls = True
            self.transaction, self.helo, self.extended = Transaction(), "", False
            return
        peer = transport.get_extra_info("peername")
        self.client = _plain_address(peer[0] if isinstance(peer, tuple) and peer else "")
        transport.set_write_buffer_limits(high=_HELD_REPLIES_OCTETS)
        self.service.sessions.add(self)
        self.deadlines.start()
        try:
            self._begin()
        except Exception:
            log.exception("a session failed")
            self.dismiss(replies.INTERNAL)

    def connection_lost(self, error: Exception | None) -> None:
        self.forget()
        self.outbox.end()
        self.deadlines.stop()
        if self._original_transport is not None:
            self._original_transport.close()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        if self.reception is not None:
            self.reception.end()
        self.transport = None

    def pause_writing(self) -> None:
        self.outbox.pause()

    def resume_writing(self) -> None:
        self.outbox.resume()
        self._talk()

    def forget(self) -> None:
        """The connection is over. aiosmtpd's TLS does not tell us when that was during its handshake."""
        self.service.sessions.discard(self)
        self.inbox.end()
        if self._counted is not None:
            self.service.usage.disconnect(self._counted)
            self._counted = None

    def data_received(self, data: bytes) -> None:
        self.inbox.feed(data)
        self._talk()

    def eof_received(self) -> bool:
        # Exim sends the final dot, QUIT and FIN at once: what it sent is still to be done and answered
        self.inbox.end()
        self._talk()
        return not self.over_tls

    # --- ends

    def _too_late(self) -> None:
        if self.transport is None:
            return
        if self.transport.is_closing():
            self.cut()  # it does not read our last words
        else:
            self.dismiss(replies.TIMEOUT)

    def dismiss(self, reply: Reply) -> None:
        """Says this and ends the connection, from outside the command loop."""
        if self._original_transport is not None and not self.over_tls:
            self.cut()  # nothing can be said in a handshake
        elif self.transport is not None and not self.transport.is_closing():
            self.outbox.say(reply.line)
            self.outbox.send()
            self._close()

    def _close(self) -> None:
        """Ends the connection when the client has read all; and soon, if it does not."""
        if self.transport is not None:
            if not self.outbox.all_is_read:
                self.deadlines.end_within(min(_LAST_WORDS, self.service.limits.idle_timeout))
            self.transport.close()

    def dismiss_idle(self) -> None:
        """For a drain: ends the session unless it is sending a mail."""
        if self.reception is None:
            self.dismiss(replies.SHUTTING_DOWN)

    def cut(self) -> None:
        """Ends the connection without a word."""
        transport: Any = self._original_transport or self.transport
        if transport is not None:
            transport.abort()

    # --- commands

    def _talk(self) -> None:
        """Answers the commands that are here.

        A verb that waits becomes a task, and what comes behind it waits for its end. All others are answered right
        here, in the callback that brought them: a future and a turn of a task for each would cost more than they do.
        """
        while self._may_talk():
            if self.reception is not None:
                if not self._receive(self.reception):
                    return
                continue
            try:
                line = self.inbox.take_line(COMMAND_OCTETS)
            except LineTooLong:
                self._said(replies.LINE_TOO_LONG)
                continue
            if line is None:
                self._pause()
                return
            self.deadlines.progress()
            reply = self._reply(line)
            if not isinstance(reply, _SAID):
                self._wait_for(reply)
                return
            self._said(reply)
            if self.inbox.is_empty:
                self._pause()
                return

    def _pause(self) -> None:
        """Everything that came is answered."""
        self.outbox.send()
        if self.inbox.ended:
            self._close()

    def begin_mail(self, reception: "Reception") -> None:
        self.reception = reception
        self.deadlines.begin_data()

    def tell(self, reply: Reply | bytes) -> None:
        """What became of a mail that was whole. Its client may be gone."""
        self._end_mail()
        if self.transport is not None:
            self._said(reply)
            self._talk()

    def _end_mail(self) -> None:
        if self.reception is not None:
            self.reception.end()
            self.reception = None
        self.transaction = Transaction()
        self.deadlines.end_data()

    def _receive(self, reception: "Reception") -> bool:
        """Gives the mail what came of it. Whether it was refused; what comes behind a whole one waits for its reply."""
        self.outbox.send()
        chunk = b"" if reception.is_whole else self.inbox.take()
        if chunk:
            self.deadlines.progress()
            try:
                refusal = reception.take(chunk)
            except Exception:
                log.exception("a mail could not be taken")
                self.dismiss(replies.INTERNAL)  # what still comes of it would be read as commands
                return False
            if refusal is not None:
                self._end_mail()
                self._said(refusal)
                return True
        if self.inbox.ended and not reception.is_whole:
            self._close()  # the client left in the middle
        return False

    def _may_talk(self) -> bool:
        """Whether the next command may be answered: nothing waits, and the client reads what it was told."""
        if self._handler_coroutine is not None or self.transport is None or self.transport.is_closing():
            return False
        return self.outbox.takes_more()

    def _said(self, reply: Reply | bytes) -> None:
        if isinstance(reply, bytes):
            self.outbox.say(reply)
            return
        self.outbox.say(reply.line)
        if reply.code >= 500:
            self.errors += 1
            if self.errors > self.service.limits.errors:
                reply = replies.TOO_MANY_ERRORS
                self.outbox.say(reply.line)
        if reply.close:
            self.outbox.send()
            self._close()

    def _wait_for(self, reply: Awaitable[Reply | bytes]) -> None:
        self._handler_coroutine = self.loop.create_task(self._finish(reply))

    async def _finish(self, waiting: Awaitable[Reply | bytes]) -> None:
        """Waits for a reply, and goes on with what the client said meanwhile."""
        try:
            reply = await waiting
        except (asyncio.CancelledError, ConnectionError):
            self._close()  # the client went away
            return
        except Exception:
            # never a word of it to the client, and never 5yz: nobody sends a bounce twice after that
            log.exception("a command failed")
            reply = replies.INTERNAL
        self._handler_coroutine = None
        self._said(reply)
        self._talk()

    def _begin(self) -> None:
        if self.service.trusted_proxies and proxy.is_trusted(self.client, self.service.trusted_proxies):
            self._wait_for(self._greet_behind_proxy())
        else:
            self._said(self._greet())
            self._talk()

    def _greet(self) -> Reply | bytes:
        """Takes one of the connections for the client, if it may have one."""
        service = self.service
        if service.draining:
            return replies.SHUTTING_DOWN
        if service.usage.is_guessing(self.client):
            return replies.TOO_MANY_GUESSES
        if not service.usage.connect(self.client):
            return replies.TOO_MANY_CONNECTIONS
        self._counted = self.client
        return service.greeting

    async def _greet_behind_proxy(self) -> Reply | bytes:
        client = await proxy.client_behind(self.client, self.inbox)
        if client is None:
            raise ConnectionAbortedError  # without a word: whoever does not speak the protocol is no proxy
        self.client = client
        return self._greet()

    def _reply(self, line: bytes) -> Reply | bytes | Awaitable[Reply | bytes]:
        word, _, argument = line.partition(b" ")
        verb = self.verbs.get(word.decode("ascii", "replace").upper())
        if verb is None:
            return replies.NOT_RECOGNISED
        try:
            return verb(self, argument.strip(b" ").decode())
        except UnicodeDecodeError:
            return replies.SYNTAX
        except Exception:
            log.exception("command %r failed", word[:8])
            return replies.INTERNAL

    async def push(self, status: Any) -> None:
        """What aiosmtpd's STARTTLS says, in our words."""
        self.outbox.say(replies.START_TLS.line)
        await self.outbox.flush()

    # --- state

    @property
    def tls(self) -> str | None:
        """Version and cipher, e.g. "TLSv1.3 TLS_AES_256_GCM_SHA384"."""
        cipher = self.over_tls and self.transport and self.transport.get_extra_info("cipher")
        return f"{cipher[1]} {cipher[0]}" if cipher else None


def _plain_address(address: str) -> str:
    return address.removeprefix("::ffff:")  # an IPv4 client of a socket for both
