"""Which forward paths are ours."""

from datetime import UTC, date, datetime, timedelta

import pytest

from handlers.keys import MasterKey, Ring, account_key
from handlers.path import forward_path
from handlers.recipients import Recipient, Recipients, patterns
from handlers.tokens import Tokens
from handlers.verp import mint, mint_base

DOMAIN = "bounces.test"
TODAY = date(2026, 11, 21)
RING = Ring({0: MasterKey(0, bytes(32), datetime(2026, 1, 1, tzinfo=UTC))}, active=0)
KEY = account_key(RING, 1)
RECIPIENTS = Recipients(
    Tokens(DOMAIN, lambda: RING, lambda: TODAY),
    "bounces",
    patterns(["replies-*@shop.example", "?@one.example", "*@all.example", "[x]@brackets.example"]),
)


def token(days_ago: int = 0, domain: str = DOMAIN) -> str:
    return mint(KEY, domain, "jane@example.org", TODAY - timedelta(days_ago), random_id=5)


def decide(address: str) -> Recipient:
    path = forward_path(f"TO:<{address}>")
    assert path is not None, address
    return RECIPIENTS.decide(path)


CASES = {
    token() + "@bounces.test": Recipient.TOKEN,
    token().upper() + "@BOUNCES.TEST.": Recipient.TOKEN,
    f'"{token()}"@bounces.test': Recipient.TOKEN,
    f"prvs=0123456789={token()}@bounces.test": Recipient.TOKEN,
    mint_base(KEY, DOMAIN, TODAY, random_id=5) + "+a=b.example@bounces.test": Recipient.TOKEN,
    token(90) + "@bounces.test": Recipient.TOKEN,
    token(91) + "@bounces.test": Recipient.TOKEN,  # late
    token(180) + "@bounces.test": Recipient.TOKEN,
    token(181) + "@bounces.test": Recipient.UNKNOWN,  # expired; nobody guessed it
    token(-3) + "@bounces.test": Recipient.UNKNOWN,  # dated ahead, and signed by us
    token(domain="other.test") + "@bounces.test": Recipient.GUESS,
    token()[:-1] + ("a" if token()[-1] != "a" else "b") + "@bounces.test": Recipient.GUESS,
    token() + "@other.test": Recipient.UNKNOWN,
    token() + "@sub.bounces.test": Recipient.UNKNOWN,
    token()[:-1] + "@bounces.test": Recipient.UNKNOWN,
    "bounces@bounces.test": Recipient.BASE,
    "Bounces+jane=example.org@bounces.test": Recipient.BASE,
    "bounces-x@bounces.test": Recipient.UNKNOWN,
    "bounces@other.test": Recipient.UNKNOWN,
    "postmaster": Recipient.ROLE,
    "POSTMASTER@Bounces.Test": Recipient.ROLE,
    "abuse@bounces.test": Recipient.ROLE,
    "abuse@other.test": Recipient.UNKNOWN,
    "postmaster+x@bounces.test": Recipient.UNKNOWN,
    "replies-@shop.example": Recipient.WATCHED,
    "Replies-x@SHOP.example": Recipient.WATCHED,
    "replies-x@shop.example.": Recipient.WATCHED,
    "xreplies-x@shop.example": Recipient.UNKNOWN,
    "replies-x@shop.example.evil.example": Recipient.UNKNOWN,
    "a@one.example": Recipient.WATCHED,
    "ab@one.example": Recipient.UNKNOWN,
    '"a@b"@all.example': Recipient.WATCHED,
    "x@brackets.example": Recipient.WATCHED,
}


@pytest.mark.parametrize("address", CASES)
def test_what_a_forward_path_is(address: str) -> None:
    assert decide(address) is CASES[address]


def test_our_own_domain_can_be_watched_too() -> None:
    watching = Recipients(RECIPIENTS.tokens, "bounces", patterns(["news-*@bounces.test"]))
    path = forward_path("TO:<news-1@bounces.test>")
    assert path is not None
    assert watching.decide(path) is Recipient.WATCHED
