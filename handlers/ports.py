"""What the steps need from outside. storage/ and server/ fill these in; tests fill them with plain values."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from handlers.bounce import Verdict
from handlers.envelope import Mail
from handlers.message import Account, Delivery
from handlers.report import Report


class Ledger(Protocol):
    """What was sent. Reads inside the transaction that will store the outcome."""

    def by_token(self, token: str) -> Delivery | None:
        """The delivery whose return path has this local part (lower case)."""
        ...

    def by_envelope_id(self, envelope_id: str, stated: Collection[str]) -> tuple[Delivery, ...]:
        """The deliveries of the messages with this envelope id to the stated recipients, whatever their case.

        Where it was sent to none of them, at most two others: enough to tell the only one.
        """
        ...

    def by_message_id(self, message_id: str, stated: Collection[str]) -> tuple[Delivery, ...]:
        """The same for the messages with this Message-ID (angle brackets included)."""
        ...

    def account(self, account_id: int) -> Account | None:
        """The account that a token names."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """What a mail says by itself."""

    report: Report
    verdicts: tuple[Verdict, ...]  # one for each of report.recipients


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A mail exceeded its time or memory while it was read; it is held."""

    why: str


class Reader(Protocol):
    """The steps parse and classify, within bounds of time and memory."""

    def read(self, mails: Sequence[Mail]) -> Sequence[Said | Unreadable]:
        """One answer a mail, in their order. Raises when we are broken: the mails are tried again."""
        ...


class Resolver(Protocol):
    """DNS. `seconds` is how long the caller can wait; no records of that type is the empty tuple.

    Every lookup raises NoSuchName when the name does not exist, and LookupFailed when nobody can tell.
    """

    def txt(self, name: str, seconds: float) -> tuple[bytes, ...]:
        """TXT records, the strings of each joined."""
        ...

    def a(self, name: str, seconds: float) -> tuple[str, ...]:
        """IPv4 addresses."""
        ...

    def aaaa(self, name: str, seconds: float) -> tuple[str, ...]:
        """IPv6 addresses."""
        ...

    def mx(self, name: str, seconds: float) -> tuple[tuple[int, str], ...]:
        """Preference and host, without the trailing dot."""
        ...

    def ptr(self, name: str, seconds: float) -> tuple[str, ...]:
        """Host names; `name` is the reversed one under in-addr.arpa or ip6.arpa."""
        ...


class NoSuchName(Exception):
    """NXDOMAIN: neither the name nor anything below it exists (RFC 8020)."""


class LookupFailed(Exception):
    """The DNS did not answer, not in time, or with a failure; asking later may help."""
