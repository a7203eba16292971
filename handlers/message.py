"""What was sent: the words that a bounce is matched against."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant. Tokens carry its id, everything else shows its name."""

    id: int  # 0 to 2**20 - 1
    name: str


@dataclass(frozen=True, slots=True)
class Message:
    """An original message that an account sent."""

    account: Account
    message_id: str  # with angle brackets
    envelope_id: str | None = None  # ENVID of RFC 3461, xtext decoded
    subject: str | None = None
    campaign: str | None = None
    kind: str = "marketing"  # "marketing" or "one_to_one"
    sent_at: datetime | None = None  # UTC


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient of one message: what bounces."""

    id: int
    recipient: str  # bare address as registered
    token: str | None  # the local part of its return path, lower case
    message: Message
