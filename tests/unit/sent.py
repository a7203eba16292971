"""What was sent, in plain values: a ledger out of a list, tokens of a ring made here, reports and envelopes."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from handlers import verp
from handlers.bounce import Verdict
from handlers.envelope import Envelope
from handlers.keys import MasterKey, Ring, account_key
from handlers.message import Account, Delivery, Message
from handlers.report import Original, RecipientStatus, Report
from handlers.tokens import Tokens
from handlers.words import Action, BounceType, Category, Kind, NoticeForm, Reason

DOMAIN = "rp.example"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
RING = Ring({0: MasterKey(0, b"\x07" * 32, NOW)}, active=0)
FOREIGN_RING = Ring({0: MasterKey(0, b"\x08" * 32, NOW)}, active=0)
TOKENS = Tokens(DOMAIN, lambda: RING, lambda: TODAY)
OURS, OTHER = Account(1, "ours"), Account(2, "other")


def token(recipient: str, account: Account = OURS, day: date = TODAY, ring: Ring = RING) -> str:
    return verp.mint(account_key(ring, account.id), DOMAIN, recipient, day, random_id=len(recipient))


def base(account: Account = OURS, day: date = TODAY) -> str:
    return verp.mint_base(account_key(RING, account.id), DOMAIN, day)


def message(name: str = "m1", account: Account = OURS, envelope_id: str | None = None) -> Message:
    return Message(account, f"<{name}@sender.example>", envelope_id or f"env-{name}")


def sent(key: int, recipient: str, of: Message, *, with_token: bool = True) -> Delivery:
    return Delivery(key, recipient, token(recipient, of.account) if with_token else None, of)


@dataclass
class PlainLedger:
    """handlers.ports.Ledger over a list; it counts what it is asked."""

    deliveries: list[Delivery] = field(default_factory=list)
    accounts: tuple[Account, ...] = (OURS, OTHER)
    asked: int = 0

    def by_token(self, token: str) -> Delivery | None:
        self.asked += 1
        return next((each for each in self.deliveries if each.token == token), None)

    def by_envelope_id(self, envelope_id: str, stated: Collection[str]) -> tuple[Delivery, ...]:
        return self._stated([each for each in self.deliveries if each.message.envelope_id == envelope_id], stated)

    def by_message_id(self, message_id: str, stated: Collection[str]) -> tuple[Delivery, ...]:
        return self._stated([each for each in self.deliveries if each.message.message_id == message_id], stated)

    def account(self, account_id: int) -> Account | None:
        return next((each for each in self.accounts if each.id == account_id), None)

    def _stated(self, found: list[Delivery], stated: Collection[str]) -> tuple[Delivery, ...]:
        self.asked += 1
        folded = {address.lower() for address in stated}
        return tuple(each for each in found if each.recipient.lower() in folded) or tuple(found[:2])


def envelope(*forward_paths: str, reverse_path: str = "") -> Envelope:
    return Envelope(reverse_path, forward_paths or (f"bounces@{DOMAIN}",), "mx.example", "192.0.2.7", NOW)


def failed(address: str, original: str | None = None, action: Action | None = Action.FAILED) -> RecipientStatus:
    return RecipientStatus(address, original, action, "5.1.1", smtp_code=550, diagnostic_code="550 5.1.1 no such user")


def report(*recipients: RecipientStatus, kind: Kind = Kind.FAILURE, **fields: Any) -> Report:
    form = NoticeForm.DSN if kind in (Kind.FAILURE, Kind.DELAY, Kind.SUCCESS) else None
    return Report(kind, fields.pop("notice_form", form), recipients, **fields)


def original(name: str = "m1", where: str = "rfc822") -> Original:
    return Original(where, f"<{name}@sender.example>")


HARD = Verdict(Reason.USER_UNKNOWN, BounceType.HARD, Category.UNKNOWN_USER, "user-unknown", "no such user")
SOFT = Verdict(Reason.MAILBOX_FULL, BounceType.SOFT, Category.MAILBOX_FULL, "mailbox-full", "over quota")
GUESS = Verdict(Reason.USER_UNKNOWN, BounceType.HARD, Category.UNKNOWN_USER, "guess", confidence=0.9, guess=True)
