"""Which deliveries a report says are in the mailbox."""

from dataclasses import replace

import pytest

from handlers.apply import delivered
from handlers.bounce import NONE, STRONG, WEAK, Match
from handlers.words import Action, Kind
from tests.unit.sent import OURS, TOKENS, failed, message, report, sent

MESSAGE = message()
ANN, BOB = sent(1, "Ann@x.example", MESSAGE), sent(2, "bob@x.example", MESSAGE)
BOTH = Match((), (ANN, BOB), OURS, None, STRONG)


def test_what_is_in_the_mailbox_arrived() -> None:
    told = report(failed("ann@x.example", action=Action.DELIVERED), kind=Kind.SUCCESS)
    assert delivered(told, BOTH, TOKENS) == (ANN,)


def test_one_report_on_several() -> None:
    told = report(failed("bob@x.example"), failed("ann@x.example", action=Action.DELIVERED))
    assert delivered(told, BOTH, TOKENS) == (ANN,)


def test_twice_in_one_report_is_once() -> None:
    arrived = failed("ann@x.example", action=Action.DELIVERED)
    told = report(arrived, replace(arrived, final_recipient="ann@y.example", original_recipient="ann@x.example"))
    assert delivered(told, BOTH, TOKENS) == (ANN,)


@pytest.mark.parametrize("action", [Action.RELAYED, Action.EXPANDED, Action.DELAYED, Action.FAILED, None])
def test_every_other_action_leaves_it_open(action: Action | None) -> None:
    told = report(failed("ann@x.example", action=action), kind=Kind.SUCCESS)
    assert delivered(told, BOTH, TOKENS) == ()


def test_nobody_else_arrived() -> None:
    told = report(failed("eve@x.example", action=Action.DELIVERED), kind=Kind.SUCCESS)
    assert delivered(told, BOTH, TOKENS) == ()


@pytest.mark.parametrize("strength", [WEAK, NONE])
def test_a_link_that_proves_nothing_clears_nothing(strength: str) -> None:
    told = report(failed("ann@x.example", action=Action.DELIVERED), kind=Kind.SUCCESS)
    assert delivered(told, replace(BOTH, strength=strength), TOKENS) == ()


@pytest.mark.parametrize("kind", [Kind.MDN, Kind.COMPLAINT, Kind.OTHER, Kind.AUTO_REPLY])
def test_only_a_report_on_delivery_tells(kind: Kind) -> None:
    told = report(failed("ann@x.example", action=Action.DELIVERED), kind=kind)
    assert delivered(told, BOTH, TOKENS) == ()
