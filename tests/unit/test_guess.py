"""The guess: made from texts of this repository, small, honest about how sure it is, and never certain."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.classify import Classifier
from handlers.folding import fold
from handlers.guess import Guesser, features
from handlers.report import RecipientStatus, Report
from handlers.rule import Example
from handlers.ruleset import load
from handlers.words import Action, BounceType, Kind, Reason
from tests.model import train_guess

MODEL = Guesser.load()
TEXTS = [
    (fold("the box is brim full"), Reason.MAILBOX_FULL),
    (fold("no room in the box"), Reason.MAILBOX_FULL),
    (fold("nobody of that name"), Reason.USER_UNKNOWN),
    (fold("this name is not known"), Reason.USER_UNKNOWN),
]


def guesser(threshold: float) -> Guesser:
    return Guesser(train_guess.train(TEXTS, temperature=1.0), threshold)


def test_a_model_learns() -> None:
    model = guesser(threshold=0.5)
    assert model.guess(fold("the box has no room")) is not None
    reason, confidence = model.guess(fold("the box has no room")) or (None, 0)
    assert reason is Reason.MAILBOX_FULL
    assert 0.5 <= confidence <= 1


def test_below_the_threshold_it_says_nothing() -> None:
    assert guesser(threshold=0.9999).guess(fold("name box")) is None
    assert guesser(threshold=0.0).guess(fold("name box")) is not None


@pytest.mark.parametrize(
    "text",
    ["Your mail could not be delivered to the following recipients", "This is an automatically generated message"],
)
def test_words_that_name_no_reason_are_no_evidence(text: str) -> None:
    assert MODEL.guess(fold(text)) is None


def test_unknown_words_are_no_evidence() -> None:
    assert MODEL.likeliest(["qwertz"]) is None
    assert MODEL.guess(fold("550 qwertz 12345 mx.rcpt.example")) is None


def test_features_are_stems_without_numbers_hosts_and_small_words() -> None:
    assert list(features(fold("550 The rejected user at mx.rcpt.example was rejecting 12 users"))) == [
        "reject",
        "user",
        "users",
    ]


def test_a_guess_is_marked() -> None:
    person = RecipientStatus(
        "jo@rcpt.example", action=Action.FAILED, diagnostic_code="550 the inbox has no capacity left"
    )
    verdict = Classifier(load()).classify(Report(kind=Kind.FAILURE, recipients=(person,)))[0]
    assert (verdict.guess, verdict.rule, verdict.reason) == (True, "guess", Reason.MAILBOX_FULL)
    assert MODEL.threshold <= verdict.confidence < 1
    assert verdict.type in {BounceType.HARD, BounceType.SOFT}


SURE = "the inbox has no capacity left"


@pytest.mark.parametrize("codes", ["550 5.7.1", "550 5.0.0", "554 5.7.0", "451"])
def test_a_sure_guess_goes_before_codes_that_name_no_case(codes: str) -> None:
    verdict = Classifier(load()).judge(Example(f"{codes} {SURE}"))
    assert (verdict.guess, verdict.reason) == (True, Reason.MAILBOX_FULL)


@pytest.mark.parametrize(
    ("reply", "rule"), [(f"550 5.2.1 {SURE}", "status.2_1"), ("550 5.7.1 Sorry, not today", "status.5_7_1")]
)
def test_no_guess_goes_before_a_status_that_names_a_case_nor_an_unsure_one(reply: str, rule: str) -> None:
    assert Classifier(load()).judge(Example(reply)).rule == rule


def test_a_rule_beats_the_guess() -> None:
    person = RecipientStatus("jo@rcpt.example", diagnostic_code="550 user unknown, the inbox has no capacity left")
    verdict = Classifier(load()).classify(Report(kind=Kind.FAILURE, recipients=(person,)))[0]
    assert (verdict.guess, verdict.confidence) == (False, 1.0)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    found = MODEL.likeliest(features(fold(text)))
    assert found is None or 0 < found[1] <= 1
