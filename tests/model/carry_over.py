"""How the rules carry over to mail that nobody wrote them for: python -m tests.model.carry_over FOLDER

FOLDER holds labels.jsonl (a mail a line: file, family, kind, and of each recipient address, alt, reason), the mails,
and reason-map.json (our reasons in the labels' words). The rules are frozen; then family by family what no other family
bears out is taken away, and the family is judged again: by patterns, and by whole rules. Rules of status and reply code
stay, as they are the RFCs'. What was written from a server's own documentation is taken away as well, so the truth for
other mail lies between the figures.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handlers.bounce import Verdict
from handlers.classify import Classifier
from handlers.folding import fold
from handlers.parse import parse
from handlers.report import Report
from handlers.rule import Rule
from handlers.ruleset import Ruleset, index, load
from handlers.words import Kind, Profile

STAY = ("status.toml", "codes.toml")
Support = dict[tuple[str, str], set[str]]  # (rule, pattern) -> the families that it is right in


@dataclass(frozen=True, slots=True)
class Mail:
    """One labelled mail, parsed. `wanted`: for each recipient of the report the reasons that are right, if known."""

    family: str
    kind_found: bool
    report: Report
    wanted: tuple[frozenset[str], ...]
    missed: int  # labelled recipients that the report does not have


def read(folder: Path) -> list[Mail]:
    """The mails whose label has a reason. Raises OSError or ValueError where a file is not there or not JSON."""
    lines = (folder / "labels.jsonl").read_text("utf-8").splitlines()
    return [mail for line in lines if line.strip() and (mail := _mail(folder, json.loads(line)))]


def _mail(folder: Path, label: dict[str, Any]) -> Mail | None:
    people = [one for one in label["recipients"] if one.get("reason")]
    if not people or label["kind"] not in {"failure", "delay"}:
        return None
    report = parse((folder / label["file"]).read_bytes())
    named = {name.lower(): {one["reason"]} for one in people for name in (one["address"], *one.get("alt", ()))}
    wanted = tuple(_of(named, one.addresses) for one in report.recipients)
    found = {a.lower() for one in report.recipients for a in one.addresses}
    missed = sum(not found & {n.lower() for n in (one["address"], *one.get("alt", ()))} for one in people)
    return Mail(label["family"], report.kind == label["kind"], report, wanted, missed)


def _of(named: dict[str, set[str]], addresses: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(named.get(a.lower(), set()) for a in addresses))


def judge(mails: Iterable[Mail], ruleset: Ruleset) -> Iterator[tuple[Mail, Verdict, frozenset[str]]]:
    """Each labelled recipient's verdict, and what is right."""
    classifier = Classifier(ruleset, Profile.CONSERVATIVE)
    for mail in mails:
        for verdict, wanted in zip(classifier.classify(mail.report), mail.wanted, strict=True):
            if wanted:
                yield mail, verdict, wanted


class CarryOver:
    """The frozen rules, the mails, and which families bear out which rule."""

    def __init__(self, mails: list[Mail], words: dict[str, Any], ruleset: Ruleset) -> None:
        self.mails, self.words, self.ruleset = mails, words, ruleset
        self.rules = {rule.id: rule for rule in ruleset.rules}
        self.support: Support = defaultdict(set)
        for mail, verdict, wanted in judge(mails, ruleset):
            if self.right(mail, verdict, wanted):
                for pattern in self.patterns(verdict):
                    self.support[verdict.rule, pattern].add(mail.family)

    def right(self, mail: Mail, verdict: Verdict, wanted: frozenset[str]) -> bool:
        said = self.words.get(verdict.reason, verdict.reason)
        ours = {said} if isinstance(said, str) else set(said)
        return mail.report.kind in {Kind.FAILURE, Kind.DELAY} and bool(wanted & ours)

    def patterns(self, verdict: Verdict) -> list[str]:
        """Those of the rule that match the words it won with."""
        rule = self.rules.get(verdict.rule)
        span = fold(verdict.span or "")
        return [p.source for p in rule.patterns if re.search(p.regex, span)] if rule else []

    def without(self, family: str, whole_rules: bool) -> Ruleset:
        """The rules, without what only `family` bears out."""
        borne_out = {rule for rule, _ in self.support}
        kept = []
        for rule in self.ruleset.rules:
            left = self._left(rule, family, whole_rules) if rule.id in borne_out and rule.table not in STAY else rule
            if left is not None:
                kept.append(left)
        return index(kept, self.ruleset.providers)

    def _left(self, rule: Rule, family: str, whole_rules: bool) -> Rule | None:
        alone = {p.source for p in rule.patterns if self.support.get((rule.id, p.source)) == {family}}
        others = set().union(*(f for (name, _), f in self.support.items() if name == rule.id)) - {family}
        if not alone or (whole_rules and others):
            return rule
        patterns = tuple(p for p in rule.patterns if p.source not in alone)
        return replace(rule, patterns=patterns) if patterns and not whole_rules else None

    def score(self, family: str, ruleset: Ruleset) -> tuple[int, int]:
        """(right, labelled) recipients of a family; a recipient that was not found is wrong."""
        mails = [mail for mail in self.mails if mail.family == family]
        results = [self.right(*result) for result in judge(mails, ruleset)]
        return sum(results), len(results) + sum(mail.missed for mail in mails)


def main() -> None:
    folder = Path(sys.argv[1])
    carry = CarryOver(read(folder), json.loads((folder / "reason-map.json").read_text("utf-8")), load())
    families = sorted({mail.family for mail in carry.mails})
    total = [0, 0, 0, 0]
    print(f"{'family':24} mails  kind  reason  without own patterns  without own rules")
    for family in families:
        right, size = carry.score(family, carry.ruleset)
        patterns, _ = carry.score(family, carry.without(family, whole_rules=False))
        rules, _ = carry.score(family, carry.without(family, whole_rules=True))
        mails = [mail for mail in carry.mails if mail.family == family]
        total = [a + b for a, b in zip(total, (size, right, patterns, rules), strict=True)]
        kind = sum(mail.kind_found for mail in mails)
        print(f"{family:24} {len(mails):5} {kind:5} {right:4}/{size:<4} {patterns:12} {rules:18}")
    size, right, patterns, rules = total
    print(f"all {len(families)} families: {right}/{size} = {right / size:.1%};", end=" ")
    print(f"without own patterns {patterns / size:.1%}, without own rules {rules / size:.1%}")


if __name__ == "__main__":
    main()
