"""What follows from a capture: a bounce and a suppression for whom it proves something about, and for nobody else."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.apply import bounces, suppressions
from handlers.bounce import NONE, STRONG, WEAK, Match, Verdict
from handlers.message import Delivery
from handlers.outcome import Bounce, Suppression
from handlers.report import RecipientStatus, Report
from handlers.tokens import Tokens
from handlers.verp import Token
from handlers.words import Action, BounceType, Category, Kind, Reason
from tests.unit.sent import DOMAIN, GUESS, HARD, OTHER, OURS, SOFT, TOKENS, base, failed, message, report, sent, token

MESSAGE = message()
ANN, BOB = sent(1, "Ann@x.example", MESSAGE), sent(2, "bob@x.example", MESSAGE)


def verified(local_part: str) -> Token:
    found = TOKENS.read(f"{local_part}@{DOMAIN}")
    assert found is not None
    assert found.token is not None
    return found.token


def tied(*deliveries: Delivery, **fields: Any) -> Match:
    """A match by token where there is one delivery, by an id where there are several."""
    own = deliveries[0].token if len(deliveries) == 1 else None
    found = Match((), deliveries, OURS, verified(own) if own else None, STRONG)
    return replace(found, **fields)


OFFLINE = Match((), (), OURS, verified(token("new@x.example")), STRONG)


def applied(
    told: Report, found: Match, *verdicts: Verdict, tokens: Tokens = TOKENS
) -> tuple[tuple[Bounce, ...], tuple[Suppression, ...]]:
    """What is stated over a strong link is proven here; handlers/trust.py asks for more."""
    made = bounces(told, verdicts or (HARD,) * len(told.recipients), found, tokens)
    strong = found.strength == STRONG and told.kind is Kind.FAILURE
    made = tuple(replace(each, proven=strong and each.recipient.action is Action.FAILED) for each in made)
    return made, suppressions(made)


def suppressed(told: Report, found: Match, *verdicts: Verdict) -> list[str]:
    return [each.address for each in applied(told, found, *verdicts)[1]]


def test_a_hard_bounce_suppresses_its_address() -> None:
    made, follows = applied(report(failed("ann@X.example")), tied(ANN))
    assert made == (Bounce("Ann@x.example", OURS, ANN, ANN.token, failed("ann@X.example"), HARD, proven=True),)
    assert follows == (Suppression("ann@x.example", OURS, BounceType.HARD, Category.UNKNOWN_USER, Reason.USER_UNKNOWN),)


@pytest.mark.parametrize(
    "stated",
    [
        failed("ann@x.example"),
        failed('"ann"@x.example'),
        failed("ANN@X.EXAMPLE."),
    ],
)
def test_the_ways_in_which_an_address_is_written(stated: RecipientStatus) -> None:
    assert suppressed(report(stated), tied(ANN)) == ["ann@x.example"]


@pytest.mark.parametrize("stated", ["ann@xn--mnchen-3ya.example", "ann@münchen.example", "Ann@MÜNCHEN.example"])
@pytest.mark.parametrize("mailed", ["ann@xn--mnchen-3ya.example", "ann@münchen.example"])
def test_a_domain_in_a_labels_and_in_u_labels(stated: str, mailed: str) -> None:
    """The token knows both (docs/tokens.md); a capital outside ASCII is another letter in neither."""
    wanted = [mailed] if "Ü" not in stated else []
    assert suppressed(report(failed(stated)), tied(sent(1, mailed, MESSAGE))) == wanted


@pytest.mark.parametrize("found", [tied(ANN), tied(ANN, strength=WEAK), OFFLINE])
@pytest.mark.parametrize("stated", ["bob@x.example", "ann@y.example", "xann@x.example", "", "ann", "\ud800@x.example"])
def test_nobody_else_is_touched(found: Match, stated: str) -> None:
    """Not the sibling of the same message, not the one behind a forward, not what somebody claims."""
    assert applied(report(failed(stated)), found) == ((), ())


def test_a_report_on_many_touches_only_ours() -> None:
    told = report(*(failed(f"{name}@x.example") for name in ("eve", "bob", "ann", "ann")))
    assert suppressed(told, tied(ANN)) == ["ann@x.example"]
    assert suppressed(told, tied(ANN, BOB)) == ["bob@x.example", "ann@x.example"]
    assert [each.delivery for each in applied(told, tied(ANN, BOB))[0]] == [BOB, ANN]


def test_a_forward_that_fails_is_a_bounce_and_kills_no_address() -> None:
    """RFC 3464 2.3.1, 2.3.2: the address that was mailed, and the one behind it that failed."""
    made, follows = applied(report(failed("elsewhere@z.example", "ann@x.example")), tied(ANN))
    assert [each.delivery for each in made] == [ANN]
    assert follows == ()


def test_a_delivery_bounces_once_and_of_its_failure() -> None:
    delayed = failed("ann@x.example", action=Action.DELAYED)
    made, follows = applied(
        report(delayed, delayed, failed("ann@x.example"), failed("ann@x.example")), tied(ANN), SOFT, SOFT, HARD, SOFT
    )
    assert [(each.recipient.action, each.verdict) for each in made] == [(Action.FAILED, HARD)]
    assert len(follows) == 1


@pytest.mark.parametrize("action", [Action.DELIVERED, Action.RELAYED, Action.EXPANDED])
def test_who_got_the_mail_does_not_bounce(action: Action) -> None:
    told = report(failed("ann@x.example", action=action), failed("bob@x.example"))
    assert [each.delivery for each in applied(told, tied(ANN, BOB))[0]] == [BOB]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.FAILURE, Kind.DELAY)])
def test_only_failures_and_delays_bounce(kind: Kind) -> None:
    assert applied(report(failed("ann@x.example"), kind=kind), tied(ANN)) == ((), ())


@pytest.mark.parametrize(
    ("told", "found", "verdict"),
    [
        (report(failed("ann@x.example")), tied(ANN, strength=WEAK), HARD),
        (report(failed("ann@x.example")), tied(ANN, strength=NONE), HARD),
        (report(failed("ann@x.example")), tied(ANN), SOFT),
        (report(failed("ann@x.example")), tied(ANN), GUESS),
        (report(failed("ann@x.example")), tied(ANN), replace(HARD, type=BounceType.PENDING)),
        (report(failed("ann@x.example"), kind=Kind.DELAY), tied(ANN), HARD),
        (report(failed("ann@x.example", action=Action.DELAYED)), tied(ANN), HARD),
        (report(failed("ann@x.example", action=None)), tied(ANN), HARD),
    ],
    ids=["weak", "none", "soft", "guess", "pending", "delay", "delayed", "no action"],
)
def test_a_bounce_that_suppresses_nobody(told: Report, found: Match, verdict: Verdict) -> None:
    made, follows = applied(told, found, verdict)
    assert (len(made), follows) == (1, ())


@pytest.mark.parametrize("category", list(Category))
def test_whatever_is_hard_in_the_profile_suppresses(category: Category) -> None:
    """A strict filter does, as HubSpot says; `conservative` has no hard bounce that does not kill the address."""
    strict = replace(HARD, category=category, reason=Reason.SPAM_CONTENT)
    _, follows = applied(report(failed("ann@x.example")), tied(ANN), strict)
    assert [(each.address, each.category) for each in follows] == [("ann@x.example", category)]


def test_nothing_follows_where_no_account_is_known() -> None:
    assert applied(report(failed("new@x.example")), replace(OFFLINE, account=None)) == ((), ())


def test_a_token_minted_offline_bounces_for_whom_it_was_minted() -> None:
    made, follows = applied(report(failed("NEW@x.example")), OFFLINE)
    assert [(each.address, each.delivery, each.token) for each in made] == [
        ("NEW@x.example", None, OFFLINE.token and OFFLINE.token.text)
    ]
    assert [each.address for each in follows] == ["new@x.example"]


def test_an_xverp_base_proves_no_recipient() -> None:
    """Whoever saw one return path of the message can write another recipient behind its base."""
    claim = Match((), (), OURS, verified(f"{base()}+eve=x.example"), STRONG)
    assert applied(report(failed("eve@x.example")), claim) == ((), ())


def test_verdicts_belong_to_recipients() -> None:
    with pytest.raises(ValueError, match="zip"):
        bounces(report(failed("ann@x.example")), (HARD, HARD), tied(ANN), TOKENS)


STATED = st.sampled_from(["ann@x.example", "Ann@X.example", "bob@x.example", "eve@z.example", "new@x.example", ""])
RECIPIENTS = st.builds(
    failed, STATED, st.none() | STATED, st.none() | st.sampled_from([Action.FAILED, Action.DELAYED, Action.DELIVERED])
)
MATCHES = st.builds(
    lambda found, strength, account: replace(found, strength=strength, account=account),
    st.sampled_from([tied(ANN), tied(BOB), tied(ANN, BOB), OFFLINE, Match()]),
    st.sampled_from([STRONG, WEAK, NONE]),
    st.sampled_from([OURS, None]),
)
OWN = {tied(ANN).token: {"ann@x.example"}, tied(BOB).token: {"bob@x.example"}, OFFLINE.token: {"new@x.example"}}


@given(
    st.lists(st.tuples(RECIPIENTS, st.sampled_from([HARD, SOFT, GUESS])), max_size=5), st.sampled_from(Kind), MATCHES
)
def test_no_suppression_without_all_it_needs(
    told: list[tuple[RecipientStatus, Verdict]], kind: Kind, found: Match
) -> None:
    """A failure, a strong link to an account, a failed recipient that is ours and stated, and a rule that is sure."""
    made, follows = applied(
        report(*(recipient for recipient, _ in told), kind=kind), found, *(verdict for _, verdict in told)
    )
    mailed = {each.recipient.lower() for each in found.deliveries} or OWN.get(found.token, set())
    for each in follows:
        assert (kind, found.strength, each.account) == (Kind.FAILURE, STRONG, OURS)
        assert each.address in mailed
        assert any(
            verdict is HARD and recipient.action is Action.FAILED
            and each.address in {address.lower() for address in recipient.addresses}
            for recipient, verdict in told
        )  # fmt: skip
    assert len({each.address.lower() for each in made}) == len(made)
    assert OTHER not in {each.account for each in made}
