"""Every reply that the SMTP listener says, in one table (RFC 5321 4.2, RFC 3463).

A reply never repeats what the client sent and never says what went wrong inside. A permanent refusal (5yz) is
only for what the client can mend: our own trouble is always 4yz, because whoever sends bounces does not send
them twice.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. `close` says that the connection ends after it."""

    code: int
    enhanced_status: str  # "" where RFC 2034 wants none: greeting, EHLO, 354
    text: str
    close: bool = False
    line: bytes = field(init=False, repr=False)  # as it goes over the wire

    def __post_init__(self) -> None:
        words = (str(self.code), self.enhanced_status, self.text)
        object.__setattr__(self, "line", " ".join(filter(None, words)).encode("ascii") + b"\r\n")

    def with_text(self, more: str) -> bytes:
        """The line with one word more at its end."""
        return self.line.removesuffix(b"\r\n") + b" " + more.encode("ascii") + b"\r\n"


OK = Reply(250, "2.0.0", "Ok")
MAIL_OK = Reply(250, "2.1.0", "Ok")
RCPT_OK = Reply(250, "2.1.5", "Ok")
CAPTURED = Reply(250, "2.0.0", "Ok: captured as")  # the capture's id follows
BYE = Reply(221, "2.0.0", "Bye", close=True)
START_TLS = Reply(220, "2.0.0", "Ready to start TLS")
START_DATA = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
HELP = Reply(214, "2.0.0", "This host takes bounces for its return paths, see RFC 5321")
CANNOT_VRFY = Reply(252, "2.5.0", "Cannot VRFY, but will take a message for a valid return path")

TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections, try again later", close=True)
TOO_MANY_GUESSES = Reply(421, "4.7.0", "Too many unknown recipients, try again later", close=True)
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "Too many commands, closing", close=True)
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, closing", close=True)
NOT_SMTP = Reply(421, "4.7.0", "This is not SMTP, closing", close=True)
TIMEOUT = Reply(421, "4.4.2", "Timeout, closing", close=True)
SHUTTING_DOWN = Reply(421, "4.3.2", "Service is stopping, try again later", close=True)
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients")
NO_SPACE = Reply(452, "4.3.1", "Insufficient system storage, try again later")
BUSY = Reply(452, "4.3.1", "Too much mail at once, try again later")
INTERNAL = Reply(451, "4.3.0", "Local trouble, try again later")

NOT_RECOGNISED = Reply(500, "5.5.2", "Command not recognised")
LINE_TOO_LONG = Reply(500, "5.5.2", "Command line too long")
SYNTAX = Reply(501, "5.5.4", "Syntax error in the argument")
SYNTAX_HELO = Reply(501, "5.5.4", "Syntax: EHLO hostname")
SYNTAX_MAIL = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address> [SP parameters]")
SYNTAX_RCPT = Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")
NEED_HELO = Reply(503, "5.5.1", "Send EHLO first")
NEED_MAIL = Reply(503, "5.5.1", "Send MAIL first")
NEED_RCPT = Reply(503, "5.5.1", "Send RCPT first")
NESTED_MAIL = Reply(503, "5.5.1", "One MAIL at a time")
TLS_ACTIVE = Reply(503, "5.5.1", "TLS is already active")
BAD_SENDER = Reply(501, "5.1.7", "Bad address syntax of the sender")
BAD_RECIPIENT = Reply(501, "5.1.3", "Bad address syntax of the recipient")
NO_SUCH_ADDRESS = Reply(550, "5.1.1", "No such address")
TOO_BIG = Reply(552, "5.3.4", "Message too big")
TOO_BIG_CLOSING = Reply(552, "5.3.4", "Message too big, closing", close=True)
NEED_TLS = Reply(530, "5.7.0", "Send STARTTLS first")
NO_CHUNKING = Reply(502, "5.5.1", "BDAT not implemented, closing", close=True)
BAD_PARAMETER = Reply(555, "5.5.4", "Parameter not recognised or not implemented")
NEED_SMTPUTF8 = Reply(553, "5.6.7", "This address needs SMTPUTF8")


def table() -> dict[str, Reply]:
    """Every reply by its name, in the order of this file."""
    return {name: value for name, value in globals().items() if isinstance(value, Reply)}
