"""What follows from a capture: bounces of our deliveries, and suppressions.

Only a stated recipient that is the delivery's own is touched: a report on a valid token proves that we mailed that
delivery, not that anybody else's mail failed.
"""

from collections.abc import Sequence

from handlers.bounce import STRONG, Match, Verdict
from handlers.outcome import Bounce, Suppression
from handlers.report import RecipientStatus, Report
from handlers.tokens import Tokens
from handlers.words import Action, BounceType, Kind

_BOUNCING = {Kind.FAILURE, Kind.DELAY}
_ACTIONS = {Action.FAILED, Action.DELAYED, None}


def bounces(report: Report, verdicts: Sequence[Verdict], match: Match, tokens: Tokens) -> tuple[Bounce, ...]:
    """A bounce for each recipient of the report that is our delivery's own."""
    account = match.account
    if report.kind not in _BOUNCING or account is None:
        return ()
    token = match.token.text if match.token else match.delivery.token if match.delivery else None
    return tuple(
        Bounce(address, account, match.delivery, token, recipient, verdict)
        for recipient, verdict in zip(report.recipients, verdicts, strict=True)
        if recipient.action in _ACTIONS and (address := _own_address(recipient, match, tokens))
    )


def suppressions(report: Report, found: Sequence[Bounce], match: Match) -> tuple[Suppression, ...]:
    """A suppression for each hard bounce that is proven by a strong link."""
    if report.kind is not Kind.FAILURE or match.strength != STRONG:
        return ()
    return tuple(
        Suppression(
            bounce.address.lower(), bounce.account, BounceType.HARD, bounce.verdict.category, bounce.verdict.reason
        )
        for bounce in found
        if bounce.verdict.type is BounceType.HARD
        and not bounce.verdict.guess
        and bounce.recipient.action is Action.FAILED
    )


def _own_address(recipient: RecipientStatus, match: Match, tokens: Tokens) -> str | None:
    """The delivery's address where the report names it; without a delivery, the one that the token was minted for."""
    stated = recipient.addresses
    if match.delivery:
        own = match.delivery.recipient
        return own if own.lower() in {address.lower() for address in stated} else None
    if match.token:
        return next((address for address in stated if tokens.is_for(match.token, address)), None)
    return None
