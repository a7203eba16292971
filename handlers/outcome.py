"""What the pipeline makes of one capture; storage writes it in one transaction."""

from dataclasses import dataclass, field

from handlers.bounce import Link, Verdict
from handlers.envelope import Mail
from handlers.message import Account, Delivery
from handlers.report import RecipientStatus, Report
from handlers.words import BounceType, Category, Detectability, NoticeForm, Reason, Trust, TrustReason


@dataclass(frozen=True, slots=True)
class Bounce:
    """The verdict on one delivery, drawn from a capture."""

    address: str  # the delivery's recipient; where only the token is known, the stated recipient
    account: Account
    delivery: Delivery | None  # None where the token was minted offline and never registered
    token: str | None
    recipient: RecipientStatus
    verdict: Verdict
    proven: bool = False  # it may have an effect on the delivery: that it failed for good is proven, not only said
    again: bool = False  # it would be proven, were it not that an earlier capture proved the same


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that an account must not mail again (account None: everyone)."""

    address: str
    account: Account | None
    type: BounceType
    category: Category
    reason: Reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """One capture with everything that was found out about it."""

    mail: Mail
    report: Report
    verdicts: tuple[Verdict, ...]  # one for each of report.recipients
    links: tuple[Link, ...]
    detectability: Detectability
    notice_form: NoticeForm | None
    delivery: Delivery | None = None  # ours, by the strongest link
    account: Account | None = None
    authentication: dict[str, str] = field(default_factory=dict)  # {"spf": "pass", "dkim": "none", ...} RFC 8601 words
    trust: Trust | None = None  # None where it reports on no delivery
    trust_reasons: tuple[TrustReason, ...] = ()
    undetectable_reason: str | None = None
    bounces: tuple[Bounce, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    delivered: tuple[Delivery, ...] = ()  # that the report says are in the mailbox
    held: str | None = None  # why the mail could not be read; it is stored raw and whole, and shown
