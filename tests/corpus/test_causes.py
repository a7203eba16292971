"""A cause is understood in many languages: as a reply, and where no rule wants a reply in a notice (causes.toml)."""

import tomllib
from pathlib import Path

import pytest

from handlers.classify import Classifier
from handlers.report import RecipientStatus, Report
from handlers.rule import Example
from handlers.ruleset import load
from handlers.words import Action, Kind, Reason

SENTENCES = tomllib.loads((Path(__file__).parent / "causes.toml").read_text("utf-8"))
RULESET = load()
CLASSIFIER = Classifier(RULESET)
WEAK = {rule.id for rule in RULESET.rules if rule.weak}


@pytest.mark.parametrize(("reason", "sentence"), [(r, s) for r, group in SENTENCES.items() for s in group])
def test_a_cause(reason: str, sentence: str) -> None:
    verdict = CLASSIFIER.judge(Example(f"550 {sentence}"))
    assert verdict.reason is Reason(reason)
    assert not verdict.guess
    if verdict.rule not in WEAK:
        person = RecipientStatus("jo@rcpt.example", action=Action.FAILED)
        notice = Report(Kind.FAILURE, recipients=(person,), text=f"jo@rcpt.example:\n{sentence}.\n")
        assert CLASSIFIER.classify(notice)[0].reason is Reason(reason)
