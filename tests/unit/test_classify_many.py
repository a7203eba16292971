"""A report may name thousands of recipients: what they share is read once, and what they do not has a bound."""

from dataclasses import replace

import pytest

from handlers import evidence
from handlers.classify import Classifier
from handlers.evidence import REPLIES, SHORT, Evidence, Notice, Text
from handlers.folding import MAX_TEXT
from handlers.report import RecipientStatus, Report
from handlers.rule import Example, Rule
from handlers.words import Action, Kind, Reason
from tests.unit.judged import CLASSIFIER, RULESET, recipient


class Counting(Classifier):
    """Counts how often a clause is tried."""

    tries = 0

    def _span(self, number: int, rule: Rule, text: Text, evidence: Evidence) -> str:
        self.tries += 1
        return super()._span(number, rule, text, evidence)


class TestManyRecipients:
    @staticmethod
    def report(number: int) -> Report:
        """Everybody got the same reply, each with the own address in it."""
        names = [f"p{n}@rcpt.example" for n in range(number)]
        people = [
            recipient(f"550 <{name}>: this mailbox is full", final_recipient=name, smtp_code=550) for name in names
        ]
        return Report(
            kind=Kind.FAILURE,
            recipients=tuple(people),
            text="".join(f"<{name}>:\n   it said: this mailbox is full\n" for name in names),
        )

    def test_the_same_evidence_is_judged_once(self) -> None:
        few, many = Counting(RULESET), Counting(RULESET)
        few.classify(self.report(2))
        verdicts = many.classify(self.report(2000))
        assert len(verdicts) == 2000
        assert many.tries == few.tries > 0

    def test_the_shares_of_a_notice_do_not_overlap(self) -> None:
        report = self.report(2000)
        notice = Notice.of(report)
        assert len(notice.shares) == 2000
        assert sum(map(len, notice.shares.values())) <= len(report.text)

    def test_other_evidence_is_judged_again(self) -> None:
        people = (
            recipient("550 ann@rcpt.example mailbox is full", final_recipient="ann@rcpt.example"),
            recipient("550 bea@rcpt.example mailbox full", final_recipient="bea@rcpt.example", action=Action.DELAYED),
            recipient("550 cyd@rcpt.example mailbox moved to", final_recipient="cyd@rcpt.example"),
            recipient("550 : User unknown", final_recipient="dan@rcpt.example", smtp_code=550),
            recipient("550 : User unknown", final_recipient="eve@ezweb.ne.jp", smtp_code=550),
        )
        verdicts = CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=people))
        assert len({(verdict.rule, verdict.type) for verdict in verdicts}) == 5


class Searching(Classifier):
    """Counts the characters searched in."""

    characters = 0

    def _searched(self, number: int, rule: Rule, text: Text) -> str:
        self.characters += len(text.folded)
        return super()._searched(number, rule, text)


class TestBound:
    """Replies that all differ, beside a notice full of words that begin a rule and end none."""

    NOTICE = "user qz mailbox qz not qz domain qz sender qz message qz host qz ip qz " * 60

    def report(self, number: int, reply: str = "x") -> Report:
        people = [recipient(f"{reply} {n}", final_recipient=f"p{n}@rcpt.example") for n in range(number)]
        return Report(kind=Kind.FAILURE, recipients=tuple(people), text=self.NOTICE)

    def test_a_notice_is_searched_once_for_all(self) -> None:
        one, many = Searching(RULESET), Searching(RULESET)
        one.classify(self.report(1))
        verdicts = many.classify(self.report(500))
        assert len(verdicts) == 500
        assert many.characters < 2 * one.characters

    def test_clauses_known_not_to_match_are_not_tried_again(self) -> None:
        spoken = {word for rule in RULESET.rules[:300] for word in rule.example.text.lower().split() if word.isalpha()}
        silent = [word for word in sorted(spoken) if CLASSIFIER.judge(Example(word)).rule in {"none", "guess"}]
        words = " qz ".join(silent[:300])
        one, many = Counting(RULESET), Counting(RULESET)
        for counting, number in ((one, 1), (many, 401)):
            counting.classify(replace(self.report(number), text=words))
        assert one.tries > 100
        assert many.tries - one.tries < 400 * one.tries // 10  # what asks for another status or reply code stays

    def test_the_last_of_many_long_replies_are_read_in_part(self) -> None:
        few, many = Searching(RULESET), Searching(RULESET)
        reply = self.NOTICE[:2000]
        few.classify(self.report(100, reply))
        many.classify(self.report(400, reply))
        assert many.characters < 2.5 * few.characters

    def test_the_bound_is_far_above_an_honest_report(self) -> None:
        report = self.report(2000, "550 5.1.1 <jo@rcpt.example>: no mailbox is here for that")
        notice = Notice.of(report)
        assert {notice.allow(one.diagnostic_code) for one in report.recipients} == {MAX_TEXT}

    def test_a_reply_that_comes_again_costs_nothing(self) -> None:
        notice = Notice.of(self.report(1))
        notice.left = 10
        assert [notice.allow("x" * 20), notice.allow("x" * 20), notice.allow(None)] == [MAX_TEXT, SHORT, SHORT]
        same = [recipient("550 mailbox is full " + "z" * 3000, final_recipient="jo@rcpt.example")] * 1000
        other = recipient("550 " + "z " * SHORT + " mailbox is full", final_recipient="ann@rcpt.example")
        assert len(same) * 3000 > REPLIES
        verdicts = CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=(*same, other)))
        assert {verdict.reason for verdict in verdicts} == {Reason.MAILBOX_FULL}


def test_one_notice_of_many_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[str] = []
    fold = evidence.fold

    def counted(text: str) -> str:
        folded.append(text)
        return fold(text)

    monkeypatch.setattr(evidence, "fold", counted)
    people = tuple(RecipientStatus(f"jo@rcpt{n}.example", action=Action.FAILED) for n in range(20))
    report = Report(Kind.FAILURE, recipients=people, text="Your message bounced: the mailbox is full.")
    verdicts = CLASSIFIER.classify(report)
    assert {verdict.reason for verdict in verdicts} == {Reason.MAILBOX_FULL}
    assert folded == [report.text]
