"""A report may name thousands of recipients: what they share is folded once, whatever else sets them apart."""

import pytest

from handlers import evidence
from handlers.classify import Classifier
from handlers.report import RecipientStatus, Report
from handlers.ruleset import load
from handlers.words import Action, Kind, Reason


def test_one_notice_of_many_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[str] = []
    fold = evidence.fold

    def counted(text: str) -> str:
        folded.append(text)
        return fold(text)

    monkeypatch.setattr(evidence, "fold", counted)
    people = tuple(RecipientStatus(f"jo@rcpt{n}.example", action=Action.FAILED) for n in range(20))
    report = Report(Kind.FAILURE, recipients=people, text="Your message bounced: the mailbox is full.")
    verdicts = Classifier(load()).classify(report)
    assert {verdict.reason for verdict in verdicts} == {Reason.MAILBOX_FULL}
    assert folded == [report.text]
