"""The verdict on one recipient, and the evidence that ties a capture to what was sent."""

from dataclasses import dataclass

from handlers.message import Account, Delivery
from handlers.verp import Token
from handlers.words import BounceType, Category, LinkMethod, Reason

NO_BOUNCE = ("delivered", "no_bounce")  # "rules" of verdicts on what did not bounce
STRONG, WEAK, NONE = "strong", "weak", "none"  # of a link: may have an effect, shows where to look, proves nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one recipient bounced, and which rule says so. classify() makes one a recipient."""

    reason: Reason
    type: BounceType
    category: Category
    rule: str  # id of the rule that decided
    span: str = ""  # the words that matched
    confidence: float = 1.0  # below 1 only for a guess
    guess: bool = False  # a guess never leads to a suppression
    runner_up: str | None = None  # id of the rule that would have won without this one


@dataclass(frozen=True, slots=True)
class Link:
    """Evidence that ties a capture to a delivery."""

    method: LinkMethod
    where: str  # "forward_path", "original_envelope_id", "rfc822", "inline", "in_reply_to", "text", ...
    state: str  # of a token handlers.verp.State, of an id "valid" or "foreign"; "unknown" where nothing was looked up
    value: str  # the token, envelope id or Message-ID as found
    delivery: int | None = None  # key of the delivery, where it is ours and known
    strength: str = NONE


@dataclass(frozen=True, slots=True)
class Match:
    """What ties a capture to what was sent. `deliveries` and `account` are those of the strongest link."""

    links: tuple[Link, ...] = ()
    deliveries: tuple[Delivery, ...] = ()  # more than one where the report states several of a message's recipients
    account: Account | None = None
    token: Token | None = None  # verified: valid or late
    strength: str = NONE
    link: Link | None = None  # the strongest one
    other_message: bool = False  # it brings back another message of ours than the one that the token was made for

    @property
    def delivery(self) -> Delivery | None:
        """The first of them."""
        return self.deliveries[0] if self.deliveries else None
