"""What a mail sounds like, where no phrase of a table decides: by the stems of its words.

The model is tone.json, made by tests/model/train_tone.py from the texts in tests/model/tone/, which were written for
it. It says how sure it is, and no kind hangs on it alone where a bounce could come of it.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from handlers.bayes import Bayes
from handlers.parse import phrases
from handlers.words import Kind

LOOKED_AT = 1500  # characters of a mail's own words
STEM = 6  # letters: "returns" and "returned" are one
CLASSES = {  # what a text may be, finer than kinds: what people write has little in common with what sells
    "absence": Kind.AUTO_REPLY,
    "acknowledgement": Kind.AUTO_REPLY,
    "left": Kind.AUTO_REPLY,
    "command": Kind.AUTO_REPLY,
    "challenge": Kind.CHALLENGE,
    "held": Kind.HELD_NOTICE,
    "failure": Kind.FAILURE,
    "delay": Kind.DELAY,
    "delivered": Kind.SUCCESS,
    "read": Kind.MDN,
    "complaint": Kind.COMPLAINT,
    "report": Kind.REPORT,
    "person": Kind.OTHER,
    "news": Kind.OTHER,
    "phishing": Kind.OTHER,
}
FEWEST = 5  # known words that say anything
_WORD = re.compile(r"[^\W\d_]+")


Tone = Mapping[Kind, float]  # how likely a mail is of each kind by its words: the shares add up to 1


def of(subject: phrases.Folded, text: phrases.Folded) -> Tone:
    """Empty where too few words are known."""
    return by_kind(shipped().shares(features(subject, text), FEWEST))


def by_kind(shares: Mapping[str, float]) -> Tone:
    """The shares of classes, added up."""
    tone: dict[Kind, float] = {}
    for name, share in shares.items():
        tone[CLASSES[name]] = tone.get(CLASSES[name], 0.0) + share
    return tone


def features(subject: phrases.Folded, text: phrases.Folded) -> dict[str, None]:
    """The stems of the words of both, and marked those of the subject; pairs of characters where words stand joined."""
    first = _stems(subject)
    return dict.fromkeys([*first, *_stems(text), *[f"{word}:" for word in first]])


def _stems(folded: phrases.Folded) -> list[str]:
    words = _WORD.findall(folded.text[:LOOKED_AT])
    if not folded.joined:
        return [word[:STEM] for word in words if len(word) > 2 or not word.isascii()]
    return [stem for word in words for stem in (_pairs(word) if phrases.is_joined(word) else [word[:STEM]])]


def _pairs(word: str) -> list[str]:
    return [word[at : at + 2] for at in range(len(word) - 1)]


@cache
def shipped() -> Bayes:
    """The model that comes with bouncemx."""
    return Bayes.read((files("handlers.parse") / "tone.json").read_text("utf-8"))
