"""What we answer to each command of RFC 5321 4.1.1. DATA is in data.py.

Not here on purpose: AUTH (an MX needs no password), BDAT, ETRN, and everything else that is not in VERBS.
"""

import contextlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP

from handlers import path, replies
from handlers.recipients import Recipient
from handlers.replies import Reply
from server.data import data
from server.session import Session, Transaction

if TYPE_CHECKING:
    from server.session import Verb

_BODIES = {"7BIT", "8BITMIME"}  # RFC 6152


def helo(session: Session, argument: str) -> Reply | bytes:
    """RFC 5321 4.1.1.1. The name is taken as it comes: many are wrong, and it proves nothing."""
    if not _greet(session, argument, extended=False):
        return replies.SYNTAX_HELO
    return f"250 {session.hostname}\r\n".encode("ascii")


def ehlo(session: Session, argument: str) -> Reply | bytes:
    if not _greet(session, argument, extended=True):
        return replies.SYNTAX_HELO
    offers_tls = bool(session.tls_context) and not session.over_tls
    return _extensions(session.hostname, session.service.limits.message_octets, offers_tls)


@lru_cache(maxsize=8)
def _extensions(hostname: str, size: int, offers_tls: bool) -> bytes:
    """The reply to EHLO."""
    lines = [
        hostname,
        "PIPELINING",  # RFC 2920: replies are held back for a group, and a commit outlives its client
        f"SIZE {size}",  # RFC 1870
        "8BITMIME",  # RFC 6152
        "SMTPUTF8",  # RFC 6531
        "ENHANCEDSTATUSCODES",  # RFC 2034
        *(["STARTTLS"] if offers_tls else []),  # RFC 3207
    ]
    return ("".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n").encode("ascii")


def mail(session: Session, argument: str) -> Reply:
    if not session.helo:
        return replies.NEED_HELO
    if session.service.draining:
        return replies.SHUTTING_DOWN
    if session.service.tls_required and not session.over_tls:
        return replies.NEED_TLS
    if session.transaction.reverse_path is not None:
        return replies.NESTED_MAIL
    if argument[:5].upper() != "FROM:":
        return replies.SYNTAX_MAIL
    sender = path.reverse_path(argument)
    if sender is None:
        return replies.BAD_SENDER
    refusal = _refuse_parameters(session, sender.parameters)
    if refusal:
        return refusal
    smtputf8 = "SMTPUTF8" in sender.parameters
    if not smtputf8 and not sender.address.isascii():
        return replies.NEED_SMTPUTF8
    session.transaction = Transaction(sender.address, smtputf8=smtputf8)
    return replies.MAIL_OK


def rcpt(session: Session, argument: str) -> Reply:
    transaction = session.transaction
    if transaction.reverse_path is None:
        return replies.NEED_MAIL
    if argument[:3].upper() != "TO:":
        return replies.SYNTAX_RCPT
    recipient = path.forward_path(argument)
    if recipient is None:
        return replies.BAD_RECIPIENT
    if recipient.parameters:
        return replies.BAD_PARAMETER
    if not transaction.smtputf8 and not recipient.address.isascii():
        return replies.NEED_SMTPUTF8
    if len(transaction.forward_paths) >= session.service.limits.recipients:
        return replies.TOO_MANY_RECIPIENTS
    return _decide(session, recipient)


def rset(session: Session, argument: str) -> Reply:
    session.transaction = Transaction()
    return replies.OK


def noop(session: Session, argument: str) -> Reply:
    return replies.OK


def quit_(session: Session, argument: str) -> Reply:
    return replies.BYE


def vrfy(session: Session, argument: str) -> Reply:
    """RFC 5321 7.3: the same for every address."""
    return replies.CANNOT_VRFY if argument else replies.SYNTAX


def help_(session: Session, argument: str) -> Reply:
    return replies.HELP


def not_implemented(session: Session, argument: str) -> Reply:
    return replies.NOT_IMPLEMENTED


def bdat(session: Session, argument: str) -> Reply:
    return replies.NO_CHUNKING  # what follows would be read as commands


def http(session: Session, argument: str) -> Reply:
    return replies.NOT_SMTP  # a browser was made to send us a form


async def starttls(session: Session, argument: str) -> Reply | bytes:
    if argument:
        return replies.SYNTAX
    if session.over_tls:
        return replies.TLS_ACTIVE
    if not session.tls_context:
        return replies.NOT_IMPLEMENTED
    with contextlib.suppress(Exception):  # aiosmtpd wraps whatever the handshake raised
        await SMTP.smtp_STARTTLS(session, "")
    if not session.over_tls:  # cut off in the handshake, which need not raise
        session.forget()
        raise ConnectionAbortedError
    session.deadlines.progress()
    return b""


def _greet(session: Session, name: str, *, extended: bool) -> bool:
    if not name or not name.isprintable():
        return False
    session.transaction = Transaction()
    session.helo, session.extended = name[:255], extended
    return True


def _refuse_parameters(session: Session, parameters: dict[str, str | None]) -> Reply | None:
    if not parameters:
        return None if session.service.has_room(0) else replies.NO_SPACE
    if not session.extended or parameters.keys() - {"SIZE", "BODY", "SMTPUTF8"}:
        return replies.BAD_PARAMETER
    size = parameters.get("SIZE", "0") or ""
    body = parameters.get("BODY", "7BIT") or ""
    if (
        not (size.isascii() and size.isdigit() and len(size) <= 20)
        or body.upper() not in _BODIES
        or parameters.get("SMTPUTF8") is not None
    ):
        return replies.SYNTAX
    if int(size) > session.service.limits.message_octets:
        return replies.TOO_BIG
    return None if session.service.has_room(int(size)) else replies.NO_SPACE


def _decide(session: Session, recipient: path.Path) -> Reply:
    service = session.service
    decision = service.recipients.decide(recipient)
    if decision is Recipient.UNKNOWN:
        return replies.NO_SUCH_ADDRESS
    if decision is Recipient.GUESS:
        service.usage.guessed(session.client)
        return replies.TOO_MANY_GUESSES if service.usage.is_guessing(session.client) else replies.NO_SUCH_ADDRESS
    session.transaction.forward_paths.append(recipient.address)
    return replies.RCPT_OK


def _counted(verb: "Callable[[Session, str], Reply | bytes]") -> "Verb":
    """Commands that bring no mail forward: only so many between two mails."""

    def counted(session: Session, argument: str) -> Reply | bytes:
        session.idle_commands += 1
        if session.idle_commands > session.service.limits.idle_commands:
            return replies.TOO_MANY_COMMANDS
        return verb(session, argument)

    return counted


VERBS: "dict[str, Verb]" = {
    "EHLO": _counted(ehlo),
    "HELO": _counted(helo),
    "MAIL": mail,
    "RCPT": rcpt,
    "DATA": data,
    "RSET": _counted(rset),
    "NOOP": _counted(noop),
    "QUIT": quit_,
    "VRFY": _counted(vrfy),
    "HELP": _counted(help_),
    "STARTTLS": starttls,
    "EXPN": not_implemented,
    "AUTH": not_implemented,
    "BDAT": bdat,
    **dict.fromkeys(("GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "TRACE", "PATCH"), http),
}
