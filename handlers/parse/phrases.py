"""What software says, in many languages: tables of phrases, looked up by their words.

A table is tables/GROUP.toml: a section a language with `phrases` and `examples`. In a phrase "*" stands for up to
80 characters between, a word that ends in "~" for any ending. Text and phrases are folded alike: lower case,
without accents, one space for any white space.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from handlers.parse.lazy import lazy

GAP = 80  # characters that "*" may stand for
_ACCENTS = re.compile("[\u0300-\u036f]")
STEM = 4  # letters of a stem that are looked up
_WORD = re.compile(r"\w+")
_STEMMED = re.compile(r"\S*~")
_JOINED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
)  # scripts whose words stand joined, or take endings
_PLAIN = {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-"} | {
    "\u0131": "i", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "ß": "ss", "æ": "ae", "Æ": "ae",
}  # fmt: skip
_QUOTES = re.compile(f"[{''.join(_PLAIN)}]")


class Phrase(NamedTuple):
    pieces: tuple[str, ...]  # folded, found one after the other
    language: str
    whole: str  # as the table has it


class Folded:
    """A text made ready for look-ups: folded, with the set of its words and of their beginnings."""

    def __init__(self, text: str) -> None:
        self.text = fold(text)
        self.joined = not self.text.isascii() and is_joined(self.text)

    @lazy
    def words(self) -> frozenset[str]:
        return frozenset(_WORD.findall(self.text))

    @lazy
    def stems(self) -> frozenset[str]:
        return frozenset([word[:STEM] for word in self.words])


class Group:
    """One table, or a section of it.

    A phrase waits under the longest of its whole words, or under the beginning of its longest stem; only those of
    languages that put no spaces between words are tried on every text of their script.
    """

    def __init__(self, name: str, section: str = "") -> None:
        self.by_word: dict[str, list[Phrase]] = {}
        self.by_stem: dict[str, list[Phrase]] = {}
        self.joined: list[Phrase] = []
        for language, entry in table(name).items():
            if section in {"", language}:
                for whole in entry["phrases"]:
                    self._add(whole, language)
        self._words, self._stems = frozenset(self.by_word), frozenset(self.by_stem)  # meet faster than a dict's keys

    def _add(self, whole: str, language: str) -> None:
        folded = fold(whole)
        pieces = folded.replace("~ ", " * ").replace("~", "").split("*")
        phrase = Phrase(tuple(piece.strip() for piece in pieces), language, whole)
        if _JOINED.search(folded):
            self.joined.append(phrase)
            return
        words = _WORD.findall(_STEMMED.sub(" ", folded))
        if words:
            self.by_word.setdefault(max(words, key=len), []).append(phrase)
        else:
            longest = max(_WORD.findall(folded), key=len)
            self.by_stem.setdefault(longest[:STEM], []).append(phrase)

    def find(self, text: Folded) -> tuple[int, int, Phrase] | None:
        """(start, end, phrase) of a phrase that stands in the text, or None."""
        return next(self.all(text), None)

    def all(self, text: Folded) -> Iterator[tuple[int, int, Phrase]]:
        """Each phrase of the table that stands in the text, once."""
        for word in text.words & self._words:
            yield from _standing(self.by_word[word], text.text)
        for stem in text.stems & self._stems if self._stems else ():
            yield from _standing(self.by_stem[stem], text.text)
        if text.joined:
            yield from _standing(self.joined, text.text)


def _standing(phrases: list[Phrase], text: str) -> Iterator[tuple[int, int, Phrase]]:
    for phrase in phrases:
        span = _span(phrase.pieces, text)
        if span:
            yield *span, phrase


def _span(pieces: tuple[str, ...], text: str) -> tuple[int, int] | None:
    first = pieces[0]
    whole = first[:1] < "\u0530" and first[:1].isalnum()  # Latin, Greek and Cyrillic words begin where they begin
    start = text.find(first)
    while start >= 0:
        if whole and start and text[start - 1].isalnum():
            start = text.find(first, start + 1)
            continue
        end = start + len(first)
        for piece in pieces[1:]:
            at = text.find(piece, end, end + GAP + len(piece))
            if at < 0:
                break
            end = at + len(piece)
        else:
            return start, end
        start = text.find(first, start + 1)
    return None


def fold(text: str) -> str:
    """Lower case, no accents, one space for any white space."""
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", _QUOTES.sub(lambda found: _PLAIN[found[0]], text)))
        text = unicodedata.normalize("NFC", text)  # Hangul and kana together again
    return " ".join(text.lower().split())


def is_joined(text: str) -> bool:
    """It has letters of a script that puts no spaces between words, or endings to them."""
    return _JOINED.search(text) is not None


@cache
def table(name: str) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files("handlers.parse") / "tables" / f"{name}.toml").read_text("utf-8"))


@cache
def group(name: str) -> Group:
    """A table, or one section of it: "failure", "phishing.login"."""
    return Group(*name.split("."))


def hit(name: str, text: Folded) -> Phrase | None:
    """A phrase of table `name` that stands in `text`."""
    found = group(name).find(text)
    return found[2] if found else None


def count(name: str, text: Folded, most: int = 3) -> int:
    """How many phrases of the table stand in the text at different places, up to `most`."""
    places: list[tuple[int, int]] = []
    for start, end, _ in group(name).all(text):
        if all(end <= a or start >= b for a, b in places):
            places.append((start, end))
            if len(places) >= most:
                break
    return len(places)
