"""What the steps need from outside. storage/ and server/ fill these in; tests fill them with plain values."""

from typing import Protocol

from handlers.message import Account, Delivery
from handlers.report import Report


class Ledger(Protocol):
    """What was sent. Reads inside the transaction that will store the outcome."""

    def by_token(self, token: str) -> Delivery | None:
        """The delivery whose return path has this local part (lower case)."""
        ...

    def by_envelope_id(self, envelope_id: str) -> tuple[Delivery, ...]:
        """Every delivery of the messages with this envelope id."""
        ...

    def by_message_id(self, message_id: str) -> tuple[Delivery, ...]:
        """Every delivery of the messages with this Message-ID (angle brackets included)."""
        ...

    def account(self, account_id: int) -> Account | None:
        """The account that a token names."""
        ...


class Parser(Protocol):
    """Parsing within bounds of time and memory."""

    def parse(self, raw: bytes, reverse_path: str) -> Report:
        """Raises ParserDied when the mail brought the parser down; the caller holds the mail then."""
        ...


class ParserDied(Exception):
    """A mail exceeded its time or memory while it was parsed."""
