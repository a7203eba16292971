"""In which language a notice is written: by its script, then by its common short words."""

import re
import tomllib
from functools import cache
from importlib.resources import files

_MARKS = re.compile(r"[.,;:!?'\u2019()\"<>]")
LOOK_AT = 400  # characters; a notice opens with its own words
WORDS = 40
_SCRIPTS = (
    (re.compile("[\u3040-\u30ff]"), "ja"),
    (re.compile("[\uac00-\ud7a3]"), "ko"),
    (re.compile("[\u4e00-\u9fff]"), "zh"),
    (re.compile("[\u0590-\u05ff]"), "he"),
    (re.compile("[\u0370-\u03ff]"), "el"),
    (re.compile("[\u0600-\u06ff]"), "ar"),
    (re.compile("[\u0e00-\u0e7f]"), "th"),
)
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_UKRAINIAN = re.compile("[іїєґ]")


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """Word -> the languages that use it."""
    data = tomllib.loads((files("handlers.parse") / "tables" / "languages.toml").read_text("utf-8"))
    words: dict[str, list[str]] = {}
    for language, entry in data.items():
        for word in entry["words"].split():
            words.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in words.items()}


def detect(text: str) -> str | None:
    """ "en", "de", ...; None where too little speaks for any."""
    sample = text[:LOOK_AT].lower()
    if sample.isascii():
        if " the " in sample[: LOOK_AT // 2]:  # no other language has it, and most notices are English
            return "en"
    else:
        by_script = _script(sample)
        if by_script:
            return by_script
    votes: dict[str, int] = {}
    words = _words()
    for word in _MARKS.sub(" ", sample).split(None, WORDS)[:WORDS]:
        if word in words:
            for language in words[word]:
                votes[language] = votes.get(language, 0) + 1
    if not votes:
        return None
    best = max(votes, key=lambda language: (votes[language], language == "en"))
    return best if votes[best] >= 2 else None


def _script(sample: str) -> str | None:
    for pattern, language in _SCRIPTS:
        if pattern.search(sample):
            return language
    if _CYRILLIC.search(sample):
        return "uk" if _UKRAINIAN.search(sample) else "ru"
    return None
