"""The pattern language, the folding it is written against, and that no text makes either slow."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.classify import Classifier
from handlers.folding import MAX_TEXT, fold, words_of
from handlers.phrases import MAX_STEPS, BadPattern, compile_pattern
from handlers.report import RecipientStatus, Report
from handlers.ruleset import load
from handlers.words import Action, Kind

RULESET = load()
CLASSIFIER = Classifier(RULESET)


def matches(pattern: str, text: str) -> bool:
    return re.search(compile_pattern(pattern).regex, fold(text)) is not None


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("550 5.1.1 <jo@rcpt.example>: User Unknown!", "user unknown"),
        ("550-5.1.1 It does\r\n550-5.1.1 not exist. Sorry.\r\n550 5.1.1 gsmtp", "it does not exist sorry gsmtp"),
        ("User doesn't exist", "user doesnt exist"),
        ("grey-listed_now (really)", "grey listed now really"),
        ("see https://zen.example.org/query?ip=192.0.2.1", "see https zen.example.org query ip 192.0.2.1"),
        ("Größe überschritten", "grosse uberschritten"),
        ("Empf\ufffdnger", "empf nger"),
        (r"Empf\344nger", "empf nger"),
        ("<not-unknown@spam.example> refused", "refused"),
        ("OFR_416 [416]", "ofr 416 416"),
        ("사용자", "사용자"),
        ("がぎ ガギ", "がぎ ガギ"),
        ("", ""),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text).strip() == folded


def test_folding_looks_at_a_bounded_piece() -> None:
    assert len(fold("word " * 10_000)) <= MAX_TEXT + 2


def test_a_host_name_is_known_by_every_domain_above_it() -> None:
    assert {"mx.zen.example.org", "zen.example.org", "example.org", "org"} <= words_of(fold("mx.zen.example.org"))


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("mailbox (is )?full", "The mailbox is full.", "the mailbox was full"),
        ("gr[ea]y ?list(ed|ing)?", "Graylisted", "greylisters"),
        ("user ... unknown", "user called jo is unknown", "unknown user"),
        ("user ... unknown", "user unknown", "user " + "x " * 40 + "unknown"),
        ("(the |your ){0,2}quota", "the your quota", "q"),
        ("^access denied$", "550 5.7.1 access denied", "550 the access denied"),
        (".spamhaus.org", "see zen.spamhaus.org", "see spamhaus.org.example"),
        (".spamhaus.org", "www.spamhaus.org/query", "notspamhaus.org"),
        ("aup#(i|o) 1[01]\\d0", "AUP#I-1040", "AUP#X-1040"),
        ("empfänger", "Empfaenger", "Empfinger"),
        ("boîte", "bo te", "bote"),
        ("宛先不明", "エラー:宛先不明です", "宛先"),
        ("5\\d\\d apples", "has 599 apples", "has 5999 apples"),
    ],
)
def test_patterns(pattern: str, yes: str, no: str) -> None:
    assert matches(pattern, yes)
    assert not matches(pattern, no)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a.*b", "outside of the subset"),
        ("a+ b", "outside of the subset"),
        ("(a|b", "not closed"),
        ("a)", "without '('"),
        ("(?=a) b", "lookaround"),
        ("a{2} word", "may only follow"),
        ("word .{0,200} word", "goes up to 80"),
        ("word .{9,2} word", "lower number first"),
        ("word .{0,60}.{0,60}.{0,60} word", "multiply to"),
        ("(a |b ){0,9}word", "repeats up to {0,4}"),
        ("(a|b){0,2} word", "ends with a space"),
        ("[^a] word", "character class"),
        ("\\bword", "outside of the subset"),
        ("\\d{3}", "no whole word"),
        ("\\w{0,9}less", "no whole word"),
        ("", "no whole word"),
        ("a|", "no whole word"),
        ("word {", "is written {m,n}"),
        ("unknown user ", "never match"),
        ("some words ...", "never match"),
        ("name & address", "never match"),
        ("^ word", "never match"),
        ("(邮箱|mailbox) full", "Latin letters alone"),
        ("(邮箱)?full", "Latin letters alone"),
    ],
)
def test_what_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(why)):
        compile_pattern(pattern)


def test_every_pattern_is_bounded() -> None:
    patterns = [pattern for rule in RULESET.rules for pattern in rule.patterns]
    assert max(pattern.steps for pattern in patterns) <= MAX_STEPS
    for pattern in patterns:
        assert not re.search(r"(?<!\\)[*+]", pattern.regex), pattern.source


def test_a_pattern_is_found_by_its_words() -> None:
    """What matches holds a word of every key: the index leaves no match out."""
    for clause in RULESET.clauses:
        rule = clause.rule
        folded = fold(rule.example.text)
        if clause.regex and re.search(clause.regex, folded) and not rule.squeezed:
            assert rule.id in dict(CLASSIFIER.tried(rule.example)), rule.id


class Counted:
    """Counts what a regular expression is asked."""

    def __init__(self, regex: re.Pattern[str], asked: list[int]) -> None:
        self.regex, self.asked = regex, asked

    def search(self, text: str) -> re.Match[str] | None:
        self.asked.append(len(text))
        return self.regex.search(text)


def judge(text: str, notice: str = "") -> None:
    person = RecipientStatus("jo@rcpt.example", action=Action.FAILED, diagnostic_type="smtp", diagnostic_code=text)
    CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=(person,), text=notice))


VOCABULARY = sorted(RULESET.by_word)
HOSTILE = [
    "user " * 100_000,
    "mailbox is the your " * 20_000,
    "message too big " * 20_000,
    "550-5.1.1 " * 50_000,
    "host a said: " * 20_000,
    "5.1.0 - Unknown address error 550-'" * 9_000,
    "mail server after " + "a: " * 50_000,
    ">>> DATA " * 50_000,
    "(" * 100_000,
    "@" * 100_000,
    "." * 100_000,
    "a." * 50_000,
    "宛先ユーザ" * 20_000,
    "ü" * 100_000,
    "\\344" * 20_000,
    " ".join(VOCABULARY),
    " ".join(reversed(VOCABULARY)) * 5,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_hostile_text_is_a_bounded_amount_of_work(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pattern is asked once a text at most, about a bounded piece; what one costs is bounded by its steps."""
    asked: list[int] = []
    classifier = Classifier(RULESET)
    compiled = classifier._compiled
    monkeypatch.setattr(classifier, "_compiled", lambda number: Counted(compiled(number), asked))
    monkeypatch.setattr(classifier, "_regex", {})
    person = RecipientStatus("jo@rcpt.example", action=Action.FAILED, diagnostic_type="smtp", diagnostic_code=text)
    classifier.classify(Report(kind=Kind.FAILURE, recipients=(person,), text=text))
    assert len(asked) <= 3 * len(RULESET.clauses)
    assert max(asked, default=0) <= MAX_TEXT + 2


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=600), st.text(max_size=300))
def test_no_text_is_too_strange(text: str, notice: str) -> None:
    judge(text, notice)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*VOCABULARY, "550", "5.1.1", ":", "<a@b.example>", "said:", "->"]), max_size=80))
def test_no_mix_of_our_own_words_is_too_strange(words: list[str]) -> None:
    judge(" ".join(words), "\n".join(words))


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab(|)?{}0,1\\.dwS[] ^$", max_size=20))
def test_a_pattern_compiles_or_is_refused(source: str) -> None:
    try:
        pattern = compile_pattern(source)
    except BadPattern:
        return
    re.compile(pattern.regex)
