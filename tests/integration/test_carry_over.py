"""The script that takes away what one family alone bears out, over mails of our own."""

import json
from pathlib import Path

import pytest

from handlers.ruleset import load
from tests.model.carry_over import CarryOver, read

REPLIES = {  # family -> what its mails say, and the reason of the label
    "one": ("552 5.2.2 Mailbox is full", "mailboxfull"),
    "two": ("550 mailbox is full", "mailboxfull"),
    "three": ("550 No such user here", "userunknown"),
    "four": ("550 5.1.1 no", "spam"),
}
WORDS = {"mailbox_full": "mailboxfull", "user_unknown": ["userunknown", "gone"]}


@pytest.fixture
def carry(tmp_path: Path) -> CarryOver:
    labels = [{"file": "x.eml", "family": "x", "kind": "auto_reply", "recipients": []}]
    for family, (reply, reason) in REPLIES.items():
        (tmp_path / f"{family}.eml").write_text(
            f"From: MAILER-DAEMON@mx.dest.example\nSubject: failure notice\n\n<jo@dest.example>: {reply}\n", "utf-8"
        )
        people = [{"address": name, "reason": reason} for name in ("JO@dest.example", "ann@dest.example")]
        labels.append({"file": f"{family}.eml", "family": family, "kind": "failure", "recipients": people})
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(label) + "\n" for label in labels), "utf-8")
    return CarryOver(read(tmp_path), WORDS, load())


def test_the_score_counts_recipients_that_were_not_found(carry: CarryOver) -> None:
    assert len(carry.mails) == 4
    assert [carry.score(family, carry.ruleset) for family in REPLIES] == [(1, 2), (1, 2), (1, 2), (0, 2)]


def test_what_another_family_bears_out_stays(carry: CarryOver) -> None:
    for whole_rules in (False, True):
        assert carry.score("one", carry.without("one", whole_rules)) == (1, 2)
        assert carry.score("three", carry.without("three", whole_rules))[0] in {0, 1}


def test_a_rule_of_one_family_is_taken_away(carry: CarryOver) -> None:
    (rule,) = {rule for (rule, _), families in carry.support.items() if families == {"three"}}
    assert rule not in {kept.id for kept in carry.without("three", whole_rules=True).rules}
    assert rule in {kept.id for kept in carry.without("one", whole_rules=True).rules}
    assert len(carry.ruleset.rules) - len(carry.without("three", whole_rules=True).rules) == 1


def test_rules_of_a_standard_stay(carry: CarryOver) -> None:
    assert {r.id for r in carry.ruleset.rules if r.table == "status.toml"} <= {
        r.id for r in carry.without("four", whole_rules=False).rules
    }
