"""What follows from a capture: bounces of our deliveries, suppressions, and what arrived.

Only a stated recipient that is the delivery's own is touched: a report on a valid token proves that we mailed that
delivery, not that anybody else's mail failed.
"""

from collections.abc import Sequence

from handlers import verp
from handlers.bounce import STRONG, Match, Verdict
from handlers.message import Delivery
from handlers.outcome import Bounce, Suppression
from handlers.report import RecipientStatus, Report
from handlers.tokens import Tokens
from handlers.words import Action, BounceType, Kind

_BOUNCING = {Kind.FAILURE, Kind.DELAY}
_TELLING = {*_BOUNCING, Kind.SUCCESS}
_ACTIONS = {Action.FAILED, Action.DELAYED, None}


def bounces(report: Report, verdicts: Sequence[Verdict], match: Match, tokens: Tokens) -> tuple[Bounce, ...]:
    """One bounce for each of our deliveries that the report says did not arrive: of its failure, else of its delay."""
    account = match.account
    if report.kind not in _BOUNCING or account is None:
        return ()
    ours = {verp.fold(each.recipient): each for each in reversed(match.deliveries)}
    found: dict[str, Bounce] = {}
    pairs = sorted(zip(report.recipients, verdicts, strict=True), key=lambda pair: pair[0].action is not Action.FAILED)
    for recipient, verdict in pairs:
        own = _own(recipient, match, ours, tokens) if recipient.action in _ACTIONS else None
        if own:
            address, delivery = own
            token = match.token.text if match.token else delivery.token if delivery else None
            found.setdefault(address.lower(), Bounce(address, account, delivery, token, recipient, verdict))
    return tuple(found.values())


def suppressions(found: Sequence[Bounce]) -> tuple[Suppression, ...]:
    """A suppression for each bounce that is a reason not to mail its address again."""
    return tuple(
        Suppression(
            bounce.address.lower(), bounce.account, BounceType.HARD, bounce.verdict.category, bounce.verdict.reason
        )
        for bounce in found
        if suppresses(bounce)
    )


def suppresses(bounce: Bounce) -> bool:
    """Whether it is hard in the profile that holds, proven, and no guess.

    Behind a forward another address failed (RFC 3464 2.3.1, 2.3.2): ours is not to blame.
    """
    return (
        bounce.proven
        and bounce.verdict.type is BounceType.HARD
        and not bounce.verdict.guess
        and verp.same_mailbox(bounce.recipient.final_recipient, bounce.address)
    )


def delivered(report: Report, match: Match, tokens: Tokens) -> tuple[Delivery, ...]:
    """Our deliveries that arrived, says a report with a strong link.

    Relayed and expanded mean that no more is known (RFC 3464 2.3.3).
    """
    if report.kind not in _TELLING or match.strength != STRONG:
        return ()
    ours = {verp.fold(each.recipient): each for each in reversed(match.deliveries)}
    found = (_own(each, match, ours, tokens) for each in report.recipients if each.action is Action.DELIVERED)
    return tuple({own[1].id: own[1] for own in found if own and own[1]}.values())


def _own(
    recipient: RecipientStatus, match: Match, ours: dict[bytes, Delivery], tokens: Tokens
) -> tuple[str, Delivery | None] | None:
    """The delivery that is this recipient's; without one, the address that the token was minted for."""
    for address in recipient.addresses:
        delivery = ours.get(verp.fold(address))
        if delivery:
            return delivery.recipient, delivery
        if match.token and tokens.is_for(match.token, address):
            # the hash also knows other spellings of the domain (A-labels, U-labels)
            return (match.deliveries[0].recipient, match.deliveries[0]) if match.deliveries else (address, None)
    return None
