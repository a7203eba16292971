"""The rule tables: what a reply or a notice text means, as data. docs/rules.md is made from them.

Rules stand in handlers/rules/*.toml, in the order of TABLES; an operator's own files come in front. The first rule
that matches wins. load() refuses what it cannot read with the file, the rule, the field and the way out.
"""

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from handlers.folding import fold, words_of
from handlers.phrases import BadPattern, Pattern, Segment, compile_pattern
from handlers.rule import CONDITIONS, FIELDS, PHASES, Example, Provider, Rule, as_list, strings
from handlers.words import Reason

# Labels of providers beat words, words beat the status, the status beats the reply code.
TABLES = ("labels", "providers", "gateways", "servers", "languages", "causes", "phrases", "vague", "status", "codes")
FALLBACKS = ("vague", "status", "codes")  # asked after every text that the notice has


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one rule: where, and what to do."""

    file: str
    rule: str
    field: str
    value: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.file}: rule {self.rule!r}, {self.field} = {self.value}: {self.way_out}"


class BadRules(ValueError):
    """Rule files that cannot be used. `problems` has one entry a mistake."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type["BadRules"], tuple[tuple[Problem, ...]]]:
        return BadRules, (self.problems,)


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing to try: a pattern of the rule, or its other conditions alone (regex "")."""

    rule: Rule
    regex: str = ""


class Entry(NamedTuple):
    """What a text must hold besides the word that an entry stands under, for its clause to be worth a try."""

    number: int  # of the clause
    all_of: frozenset[str]
    one_of: tuple[frozenset[str], ...]  # a word of each


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules in the order they are asked, and the indexes that keep the search short."""

    rules: tuple[Rule, ...]
    providers: Mapping[str, Provider]
    clauses: tuple[Clause, ...]  # in the order of the rules
    by_word: Mapping[str, tuple["Entry", ...]]
    by_status: Mapping[str, tuple[int, ...]]  # "1.1" -> clauses without words
    by_code: Mapping[str, tuple[int, ...]]
    squeezed: tuple[int, ...]
    unspaced: tuple[int, ...]  # patterns of scripts that part no words
    first_fallback: int  # the number of the first clause of FALLBACKS


def load(extra: Sequence[Path] = ()) -> Ruleset:
    """The operator's files first, then ours. Raises BadRules, FileNotFoundError."""
    reader = _Reader()
    parsed = [(str(path.absolute()), reader.parse(str(path.absolute()), path.read_bytes())) for path in extra]
    parsed += _ours()
    for file, table in parsed:
        reader.take_providers(file, table.get("provider", {}))
    for file, table in parsed:
        reader.take_rules(file, table.get("rule", []))
    if reader.problems:
        raise BadRules(reader.problems)
    return index(reader.rules, reader.providers)


@cache
def _ours() -> tuple[tuple[str, dict[str, Any]], ...]:
    """File and content of each of our tables."""
    folder = files("handlers") / "rules"
    return tuple((f"{name}.toml", tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))) for name in TABLES)


class _Reader:
    """Collects rules and mistakes over several files."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.providers: dict[str, Provider] = {}
        self.problems: list[Problem] = []
        self._seen: dict[str, str] = {}

    def parse(self, file: str, raw: bytes) -> dict[str, Any]:
        try:
            return tomllib.loads(raw.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.problems.append(Problem(file, "", "file", str(error), "write TOML in UTF-8"))
            return {}

    def take_providers(self, file: str, entries: Any) -> None:
        """The first to name a provider says who it is."""
        for name, entry in entries.items() if isinstance(entries, dict) else [("", entries)]:
            hosts, marks = (entry.get("hosts"), entry.get("marks", [])) if isinstance(entry, dict) else (None, [])
            if not (strings(hosts) and strings(marks)):
                way_out = "write [provider.NAME] with hosts = [HOST, ...] and, if you like, marks = [WORD, ...]"
                self.problems.append(Problem(file, "", "provider", repr(entry), way_out))
                continue
            self.providers.setdefault(name, Provider(name, tuple(hosts or ()), tuple(marks)))

    def take_rules(self, file: str, entries: Any) -> None:
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self.problems.append(Problem(file, "", "rule", repr(entries), "write each rule as [[rule]]"))
            return
        for entry in entries:
            name = str(entry.get("id", ""))
            found = [Problem(file, name, *mistake) for mistake in self._mistakes(file, name, entry)]
            self.problems += found
            if not found:
                self.rules.append(_make(file, entry))

    def _mistakes(self, file: str, name: str, entry: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
        if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", name):
            yield "id", repr(name), "name it like 'who.what', in a-z, 0-9 and _"
        elif name in self._seen:
            yield "id", repr(name), f"already used in {self._seen[name]}; choose another"
        self._seen.setdefault(name, file)
        for key in entry.keys() - FIELDS.keys():
            yield key, repr(entry[key]), f"unknown field; known are {', '.join(sorted(FIELDS))}"
        wrong = [key for key in entry.keys() & FIELDS.keys() if not FIELDS[key][0](entry[key])]
        yield from ((key, repr(entry[key]), f"write {FIELDS[key][1]}") for key in wrong)
        if wrong:
            return
        if entry.get("reason") not in set(Reason):
            yield "reason", repr(entry.get("reason")), f"unknown reason; one of {', '.join(Reason)}"
        if not entry.get("example"):
            yield "example", repr(entry.get("example")), "give a reply that this rule is for"
        if not (entry.get("match") or entry.get("status") or entry.get("code")):
            yield "match", "[]", "give match, status or code, or it would match everything"
        yield from self._condition_mistakes(entry)

    def _condition_mistakes(self, entry: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
        for source in as_list(entry.get("match")):
            try:
                compile_pattern(str(source))
            except BadPattern as bad:
                yield "match", repr(source), str(bad)
        for status in as_list(entry.get("status")):
            if status == "none" and not entry.get("match"):
                yield "status", repr(status), "give match as well, or it would match everything"
            elif status != "none" and not re.fullmatch(r"[45x]\.\d{1,3}\.\d{1,3}(-\d{1,3})?", str(status)):
                yield "status", repr(status), "write it like '5.1.1', 'x.2.2', '5.7.501-503' or 'none'"
        for code in as_list(entry.get("code")):
            if not re.fullmatch(r"[45](\d\d|xx)", str(code)):
                yield "code", repr(code), "write it like 550 or '4xx'"
        for phase in as_list(entry.get("phase")):
            if phase not in PHASES:
                yield "phase", repr(phase), f"unknown phase; one of {', '.join(PHASES)}"
        if entry.get("provider") and entry["provider"] not in self.providers:
            yield "provider", repr(entry["provider"]), "name it in a table [provider.NAME] with hosts first"


def _make(file: str, entry: dict[str, Any]) -> Rule:
    permanence = entry.get("permanence")
    return Rule(
        id=entry["id"],
        reason=Reason(entry["reason"]),
        example=_example(entry["example"]),
        table=file,
        patterns=tuple(compile_pattern(source) for source in as_list(entry.get("match"))),
        squeezed=tuple(as_list(entry.get("squeezed"))),
        status=tuple(one for status in as_list(entry.get("status")) for one in _spread(status)),
        codes=tuple(str(code) for code in as_list(entry.get("code"))),
        provider=entry.get("provider"),
        phases=tuple(as_list(entry.get("phase"))),
        permanent=None if permanence is None else permanence == "permanent",
        weak=entry.get("weak", False),
        names_address=entry.get("names_address"),
        own=entry.get("own", False),
        counter_examples=tuple(map(_example, as_list(entry.get("counter_example")))),
        source=entry.get("source", ""),
        note=entry.get("note", ""),
        conditional=bool(entry.keys() & CONDITIONS),
    )


def _example(value: str | dict[str, str]) -> Example:
    return Example(value) if isinstance(value, str) else Example(**value)


def _spread(status: str) -> list[str]:
    """ "5.7.501-503" is three of them."""
    found = re.fullmatch(r"(.+\.)(\d+)-(\d+)", status)
    if not found:
        return [status]
    return [f"{found[1]}{detail}" for detail in range(int(found[2]), int(found[3]) + 1)]


def index(rules: Sequence[Rule], providers: Mapping[str, Provider]) -> Ruleset:
    """Puts `rules` in their order behind the words, statuses and codes that make them worth a try."""
    by_word: dict[str, list[Entry]] = defaultdict(list)
    by_status: dict[str, list[int]] = defaultdict(list)
    by_code: dict[str, list[int]] = defaultdict(list)
    clauses: list[Clause] = []
    squeezed: list[int] = []
    unspaced: list[int] = []
    rarity = Counter(word for rule in rules for word in words_of(fold(rule.example.text)))
    for rule in rules:
        if rule.squeezed:
            squeezed.append(len(clauses))
        for pattern in rule.patterns:
            if not pattern.whole_words:
                unspaced.append(len(clauses))
            for word, all_of, one_of in _entries(pattern, rarity):
                by_word[word].append(Entry(len(clauses), all_of, one_of))
            clauses.append(Clause(rule, pattern.regex))
        if not rule.patterns:
            for status in dict.fromkeys(status[2:] for status in rule.status):
                by_status[status].append(len(clauses))
            for code in rule.codes if not rule.status else ():
                by_code[code].append(len(clauses))
            clauses.append(Clause(rule))
    fallback = {f"{name}.toml" for name in FALLBACKS}
    return Ruleset(
        rules=tuple(rules),
        providers=dict(providers),
        clauses=tuple(clauses),
        by_word={word: tuple(entries) for word, entries in by_word.items()},
        by_status={status: tuple(numbers) for status, numbers in by_status.items()},
        by_code={code: tuple(numbers) for code, numbers in by_code.items()},
        squeezed=tuple(squeezed),
        unspaced=tuple(unspaced),
        first_fallback=next((n for n, c in enumerate(clauses) if c.rule.table in fallback), len(clauses)),
    )


def _entries(
    pattern: Pattern, rarity: Mapping[str, int]
) -> set[tuple[str, frozenset[str], tuple[frozenset[str], ...]]]:
    """The words under which `pattern` is found, each with what a text must hold besides, as in Entry."""
    if not pattern.whole_words:
        return set()
    found = set()
    for branch in pattern.branches:
        keyed = [_keyed(segment, rarity) for segment in branch]
        keyed.sort(key=lambda keys: (sum(rarity[word] for word in keys), sorted(keys)))
        one_of = tuple(frozenset(keys) for keys in keyed[1:])
        found |= {(word, all_of - {word}, one_of) for word, all_of in keyed[0].items()}
    return found


def _keyed(segment: Segment, rarity: Mapping[str, int]) -> dict[str, frozenset[str]]:
    """The rarest word of each form -> the words that all forms with this one have."""
    keys: dict[str, frozenset[str]] = {}
    for words in segment:
        rarest = min(words, key=lambda word: (rarity[word], word))
        keys[rarest] = keys.get(rarest, words) & words
    return keys
