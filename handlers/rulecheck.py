"""The linter of rule files: what load() refuses, and rules that would never win."""

from collections.abc import Sequence
from pathlib import Path

from handlers.classify import Classifier
from handlers.ruleset import BadRules, Problem, load


def check(paths: Sequence[Path]) -> list[Problem]:
    """What is wrong with these rule files, put in front of ours: mistakes, and rules that lose their example."""
    try:
        ruleset = load(paths)
    except BadRules as bad:
        return list(bad.problems)
    classifier = Classifier(ruleset)
    problems = []
    for rule in ruleset.rules:
        winner = classifier.judge(rule.example).rule
        if winner != rule.id:
            way_out = f"{winner!r} wins its example; put this rule in front or narrow the other"
            problems.append(Problem(rule.table, rule.id, "example", repr(rule.example.text), way_out))
    return problems
