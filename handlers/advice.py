"""What a bounce means for who sent the mail, and what to do about it. The texts are handlers/advice.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from handlers.words import BounceType, Category

LANGUAGES = ("en", "no", "pl")
_NORWEGIAN = {"nb", "nn"}


@dataclass(frozen=True, slots=True)
class Advice:
    """In one language."""

    means: str
    do: str


def advice(category: Category, type_: BounceType, language: str = "en") -> Advice:
    """The advice on a bounce. `language` is a tag of RFC 5646 ("pl", "nb-NO"); English where we lack it."""
    named = type_ if type_ in (BounceType.PENDING, BounceType.GLOBAL) else category
    return table()[str(named)][_known(language)]


@cache
def table() -> Mapping[str, Mapping[str, Advice]]:
    """Every text: name of a category, `pending` or `global` -> language -> advice."""
    raw = tomllib.loads((files("handlers") / "advice.toml").read_text(encoding="utf-8"))
    return {
        name: {language: Advice(text["means"], text["do"]) for language, text in texts.items()}
        for name, texts in raw.items()
    }


def _known(language: str) -> str:
    primary = language.replace("_", "-").partition("-")[0].lower()
    primary = "no" if primary in _NORWEGIAN else primary
    return primary if primary in LANGUAGES else "en"
