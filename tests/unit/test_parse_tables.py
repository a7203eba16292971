"""The tables are data with examples: each example is recognised, each phrase finds itself."""

import tomllib
from pathlib import Path

import pytest

from handlers.parse import dialect, gateway, language, phrases
from handlers.parse.headers import split_block
from handlers.parse.notice import Notice
from handlers.parse.suggestion import suggest
from handlers.words import Kind

TABLES = Path(phrases.__file__).parent / "tables"
GROUPS = sorted(p.stem for p in TABLES.glob("*.toml") if p.stem not in {"dates", "dialects", "gateways", "languages"})
SECTIONS = [(group, section) for group in GROUPS for section in phrases.table(group)]
SPOKEN = {
    "en",
    "de",
    "fr",
    "es",
    "it",
    "pt",
    "nl",
    "no",
    "sv",
    "da",
    "fi",
    "pl",
    "cs",
    "ru",
    "ja",
    "zh",
    "ko",
    "tr",
    "uk",
    "he",
}


def notice(text: str, **fields: str) -> Notice:
    head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items())
    return Notice(f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}\n".encode(), None)


def is_found(group: str, section: str, example: str) -> bool:
    if section == "receipt":
        entry = phrases.table(group)[section]
        return phrases.fold(example).startswith(tuple(phrases.fold(each) for each in entry["phrases"]))
    if group == "prefixes":
        return bool(notice("", Subject=example).signs.prefix(section))
    return bool(phrases.hit(f"{group}.{section}", phrases.Folded(example)))


# one test for hundreds of entries each: a test an entry takes longer to begin than to run


def test_examples_are_found_in_their_own_section() -> None:
    examples = [
        (group, section, example)
        for group, section in SECTIONS
        for example in phrases.table(group)[section]["examples"] or ["has none"]
    ]
    assert [each for each in examples if not is_found(*each)] == []


def test_each_phrase_finds_itself() -> None:
    wholes = [
        (group, section, whole) for group, section in SECTIONS for whole in phrases.table(group)[section]["phrases"]
    ]
    texts = [whole.replace(" * ", " and so on ").replace("~", "xyz") for _, _, whole in wholes]
    found = [
        phrases.hit(f"{group}.{section}", phrases.Folded(f"({text})"))
        for (group, section, _), text in zip(wholes, texts, strict=True)
    ]
    assert [whole for whole, hit in zip(wholes, found, strict=True) if not hit] == []


@pytest.mark.parametrize(
    "group", ["failure", "failure_subject", "delay", "auto_subject", "absence", "hold", "challenge"]
)
def test_a_group_speaks_all_the_languages(group: str) -> None:
    assert set(phrases.table(group)) >= SPOKEN


@pytest.mark.parametrize("code", sorted(phrases.table("languages")))
def test_language_examples(code: str) -> None:
    assert language.detect(phrases.table("languages")[code]["example"]) == code  # type: ignore[arg-type]


@pytest.mark.parametrize("product", sorted(phrases.table("gateways")))
def test_gateway_examples(product: str) -> None:
    row = phrases.table("gateways")[product]
    found = gateway.recognise(split_block(str(row["example"]).encode()))
    assert found is not None
    assert found.product == product
    assert found.kind == (Kind(str(row["kind"])) if "kind" in row else None)


@pytest.mark.parametrize("name", sorted(phrases.table("dialects")))
def test_dialect_examples(name: str) -> None:
    example = str(phrases.table("dialects")[name]["example"])
    field, colon, value = example.partition(": ")
    one = notice("", **{field: value}) if colon and field in {"From", "Subject"} else notice(example)
    assert dialect.recognise(one) == name


@pytest.mark.parametrize("code", sorted(phrases.table("dates")))
def test_date_examples(code: str) -> None:
    for example in phrases.table("dates")[code]["examples"]:
        mail = notice(
            f"{phrases.table('absence').get(code, {'examples': ['']})['examples'][0].rstrip('.')}. {example}",
            Date="Mon, 6 Apr 2026 10:00:00 +0000",
        )
        if phrases.hit("absence", mail.folded):
            assert suggest(mail, Kind.AUTO_REPLY) == {"returns_on": "2026-05-05"}, example


@pytest.mark.parametrize("path", sorted(TABLES.glob("*.toml")), ids=lambda p: p.stem)
def test_no_phrase_twice_in_a_section(path: Path) -> None:
    for section, entry in tomllib.loads(path.read_text("utf-8")).items():
        folded = [phrases.fold(p) for p in entry.get("phrases", [])]
        assert sorted(folded) == sorted(set(folded)), section
