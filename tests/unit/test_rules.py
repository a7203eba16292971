"""The rule tables keep their promises, and the loader refuses what it cannot use."""

import re
from pathlib import Path

import pytest

from handlers.classify import Classifier
from handlers.rule import Example
from handlers.rulecheck import check
from handlers.ruleset import TABLES, BadRules, Problem, Ruleset, load
from handlers.words import Reason
from tests import docs_rules

RULESET = load()
CLASSIFIER = Classifier(RULESET)

GOOD = """
[[rule]]
id = "acme.unknown"
reason = "user_unknown"
match = ["we do not know (him|her|this person)"]
example = "550 We do not know this person"
"""


def written(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def winner(example: Example) -> tuple[str, Reason]:
    verdict = CLASSIFIER.judge(example)
    return verdict.rule, verdict.reason


# one test for hundreds of rules: a test a rule takes longer to begin than to run


def test_every_rule_wins_its_example() -> None:
    wrong = {rule.id: winner(rule.example) for rule in RULESET.rules if winner(rule.example) != (rule.id, rule.reason)}
    assert wrong == {}


def test_no_rule_wins_its_counter_example() -> None:
    examples = [(rule.id, example) for rule in RULESET.rules for example in rule.counter_examples]
    assert len(examples) > 20
    assert [(rule, example) for rule, example in examples if winner(example)[0] == rule] == []


def test_every_reason_can_be_reached() -> None:
    assert {rule.reason for rule in RULESET.rules} == set(Reason) - {Reason.UNKNOWN}


def test_every_class_of_words_comes_before_the_fallbacks() -> None:
    places = [TABLES.index(rule.table.removesuffix(".toml")) for rule in RULESET.rules]
    assert places == sorted(places)


def test_examples_name_no_foreign_domain() -> None:
    """Addresses in examples are of domains that nobody has (RFC 2606)."""
    for rule in RULESET.rules:
        for domain in re.findall(r"@([\w.-]+)", rule.example.text):
            assert domain.rstrip(".").endswith(".example"), rule.id


def test_docs_are_made_from_the_tables() -> None:
    assert docs_rules.RULES.read_text("utf-8") == docs_rules.rules_page(RULESET), "run python -m tests.docs_rules"


def test_own_rules_are_asked_first(tmp_path: Path) -> None:
    own = GOOD.replace("acme.unknown", "acme.user").replace("we do not know (him|her|this person)", "user unknown")
    own = own.replace('reason = "user_unknown"', 'reason = "mailbox_moved"').replace("We do not know", "User unknown:")
    classifier = Classifier(load([written(tmp_path, own)]))
    verdict = classifier.judge(Example("550 5.1.1 User unknown"))
    assert (verdict.rule, verdict.reason) == ("acme.user", Reason.MAILBOX_MOVED)
    assert verdict.runner_up == "server.no_user"


def test_own_rules_keep_the_order_of_their_files(tmp_path: Path) -> None:
    first = written(tmp_path, GOOD, "first.toml")
    second = written(tmp_path, GOOD.replace("acme", "later"), "second.toml")
    rules = load([first, second]).rules
    assert [rule.id for rule in rules[:2]] == ["acme.unknown", "later.unknown"]


@pytest.mark.parametrize(
    ("old", "new", "field", "way_out"),
    [
        ('"user_unknown"', '"no_such_reason"', "reason", "unknown reason; one of user_unknown, "),
        ("acme.unknown", "Acme", "id", "name it like 'who.what'"),
        ('example = "550 We do not know this person"', "", "example", "give a reply"),
        ('match = ["we do not know (him|her|this person)"]', "", "match", "or it would match everything"),
        ("(him|her|this person)", ".*", "match", "outside of the subset"),
        ("(him|her|this person)", "(him", "match", "'(' is not closed"),
        ("(him|her|this person)", "him)", "match", "')' without '('"),
        ("reason =", 'status = "5.1"\nreason =', "status", "write it like '5.1.1'"),
        ('match = ["we do not know (him|her|this person)"]', 'status = "none"', "status", "give match as well"),
        ("reason =", "code = 250\nreason =", "code", "write it like 550"),
        ("reason =", 'phase = "lunch"\nreason =', "phase", "unknown phase; one of connect, "),
        ("reason =", 'permanence = "maybe"\nreason =', "permanence", "write 'permanent'"),
        ("reason =", 'provider = "nobody"\nreason =', "provider", "[provider.NAME]"),
        ("reason =", 'mtach = ["x"]\nreason =', "mtach", "unknown field"),
    ],
)
def test_the_loader_refuses(tmp_path: Path, old: str, new: str, field: str, way_out: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(BadRules) as refused:
        load([path])
    problem = next(problem for problem in refused.value.problems if problem.field == field)
    assert way_out in problem.way_out
    assert "own.toml" in str(refused.value)


def test_the_loader_refuses_an_id_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(BadRules, match=r"'words\.spam'.*already used in .*own\.toml; choose another"):
        load([written(tmp_path, GOOD.replace("acme.unknown", "words.spam"))])


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("rule = 5", "write each rule as [[rule]]"),
        ("rule = [5]", "write each rule as [[rule]]"),
        ("provider = 5", "write [provider.NAME] with hosts"),
        ("[provider.acme]\nhosts = 'mx.acme.example'", "write [provider.NAME] with hosts"),
        ("[provider]\nacme = 5", "write [provider.NAME] with hosts"),
    ],
)
def test_the_loader_refuses_another_shape(tmp_path: Path, text: str, way_out: str) -> None:
    with pytest.raises(BadRules) as refused:
        load([written(tmp_path, text)])
    assert way_out in str(refused.value)


@pytest.mark.parametrize("field", ["id", "reason", "match", "status", "provider", "phase", "permanence", "weak"])
@pytest.mark.parametrize("value", ["5.5", "[[]]", "{}", "[5]"])
def test_the_loader_refuses_every_wrong_type(tmp_path: Path, field: str, value: str) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(field)]
    with pytest.raises(BadRules) as refused:
        load([written(tmp_path, "\n".join([*lines, f"{field} = {value}"]))])
    assert field in {problem.field for problem in refused.value.problems}


@pytest.mark.parametrize("value", ["5", '{ status = "5.1.1" }', '{ text = "550 no", colour = "red" }', "{ text = 5 }"])
@pytest.mark.parametrize("field", ["example", "counter_example"])
def test_the_loader_refuses_what_is_no_example(tmp_path: Path, field: str, value: str) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(field)]
    with pytest.raises(BadRules, match="a reply as text, or a table"):
        load([written(tmp_path, "\n".join([*lines, f"{field} = {value}"]))])


def test_own_rules_may_name_our_providers(tmp_path: Path) -> None:
    own = GOOD.replace("reason =", 'provider = "google"\nreason =').replace(
        '"550 We do not know this person"', '{ text = "550 We do not know him", remote_mta = "mx.google.com" }'
    )
    rules = load([written(tmp_path, own)])
    assert Classifier(rules).judge(rules.rules[0].example).rule == "acme.unknown"


def test_an_own_file_is_no_fallback_whatever_its_name(tmp_path: Path) -> None:
    rules = load([written(tmp_path, GOOD, "status.toml")])
    assert rules.first_fallback > 1000


def test_the_loader_refuses_what_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(BadRules, match=r"own\.toml.*write TOML in UTF-8"):
        load([written(tmp_path, "[[rule]\n")])


def test_one_error_names_every_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadRules) as refused:
        load([written(tmp_path, '[[rule]]\nid = "a.b"\nreason = "x"\nmatch = ["*"]\n')])
    assert [problem.field for problem in refused.value.problems] == ["reason", "example", "match"]


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load([tmp_path / "none.toml"])


def test_check_is_content_with_our_tables() -> None:
    assert check([]) == []


def test_check_finds_a_rule_that_shadows_ours(tmp_path: Path) -> None:
    greedy = GOOD.replace("we do not know (him|her|this person)", "unknown").replace("do not know", "have unknown")
    problems = check([written(tmp_path, greedy)])
    assert all(isinstance(problem, Problem) and problem.field == "example" for problem in problems)
    assert "server.no_user" in {problem.rule for problem in problems}
    assert "'acme.unknown' wins its example" in str(problems[0])


def test_check_tells_the_mistakes_of_a_file(tmp_path: Path) -> None:
    problems = check([written(tmp_path, GOOD.replace('"user_unknown"', '"nothing"'))])
    assert [(Path(problem.file).name, problem.rule, problem.field) for problem in problems] == [
        ("own.toml", "acme.unknown", "reason")
    ]


def test_a_range_of_statuses_is_spread_out() -> None:
    rule = next(rule for rule in RULESET.rules if rule.id == "microsoft.own_account")
    assert {"5.7.501", "5.7.503", "5.7.700", "5.7.750"} <= set(rule.status)
    assert "5.7.504" not in rule.status


def test_the_search_is_short() -> None:
    """An average reply tries a handful of the patterns, not all of them."""
    tried = [len(CLASSIFIER.tried(rule.example)) for rule in RULESET.rules]
    assert sum(tried) / len(tried) < 25
    assert len(RULESET.clauses) > 1000


def test_a_ruleset_is_a_value() -> None:
    assert isinstance(RULESET, Ruleset)
    assert load() == RULESET
