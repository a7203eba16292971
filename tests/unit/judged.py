"""Verdicts on replies, for the tests of the step classify."""

from handlers.bounce import Verdict
from handlers.classify import Classifier
from handlers.report import RecipientStatus, Report
from handlers.ruleset import load
from handlers.words import Action, Kind, Profile

RULESET = load()
CLASSIFIER = Classifier(RULESET)
CONSERVATIVE = Classifier(RULESET, Profile.CONSERVATIVE)


def recipient(reply: str | None = None, **fields: object) -> RecipientStatus:
    known = {"final_recipient": "jo@rcpt.example", "action": Action.FAILED, "diagnostic_type": "smtp"}
    return RecipientStatus(**{**known, "diagnostic_code": reply, **fields})  # type: ignore[arg-type]


def judged(reply: str | None = None, text: str = "", kind: Kind = Kind.FAILURE, **fields: object) -> Verdict:
    report = Report(kind=kind, recipients=(recipient(reply, **fields),), text=text)
    return CLASSIFIER.classify(report)[0]


def report_of(person: RecipientStatus, text: str = "") -> Report:
    return Report(kind=Kind.FAILURE, recipients=(person,), text=text)
