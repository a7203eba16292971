"""What a mail sounds like, where no phrase of a table decides: naive Bayes over the stems of its words.

The model is tone.json, made by tests/model/train_tone.py from the texts in tests/model/tone/, which were written for
it. It says how sure it is, and no kind hangs on it alone where a bounce could come of it.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

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
SHARE = 100.0  # what the texts of a class weigh together, however many there are
_WORD = re.compile(r"[^\W\d_]+")
_FIRST = ord("a")
_COUNTED = re.compile(r"([a-z])(\d+)")


Tone = Mapping[Kind, float]  # how likely a mail is of each kind by its words: the shares add up to 1


@dataclass(frozen=True, slots=True)
class Model:
    """How many texts of a class have a feature: "a12c3" are 12 of the first class and 3 of the third."""

    classes: Sequence[str]
    sizes: Sequence[int]  # texts of each class
    totals: Sequence[float]  # what all features of a class weigh
    counts: Mapping[str, str]
    smoothing: float
    temperature: float  # what the log odds are divided by, so that the confidence is honest
    _known: dict[str, list[tuple[int, float]]] = field(default_factory=dict)  # what was worked out before

    def of(self, subject: phrases.Folded, text: phrases.Folded) -> Tone:
        """Empty where too few words are known."""
        found = [self.counts[feature] for feature in features(subject, text) if feature in self.counts]
        if len(found) < FEWEST:
            return {}
        spread, every = self.smoothing * len(self.counts), sum(self.totals)
        sums = [len(found) * math.log((every - own + spread) / (own + spread)) for own in self.totals]
        for counted in found:
            for number, odds in self._known.get(counted) or self._odds(counted):
                sums[number] += odds
        return self._shares(sums)

    def _odds(self, counted: str) -> list[tuple[int, float]]:
        """How much more often these classes have the feature than the others; what all have in common is left out."""
        numbers = [(ord(name) - _FIRST, int(count)) for name, count in _COUNTED.findall(counted)]
        shares = [(number, count * SHARE / self.sizes[number]) for number, count in numbers]
        least, every = self.smoothing, sum(share for _, share in shares)
        self._known[counted] = [
            (number, math.log((share + least) * (every + least) / (least * (every - share + least))))
            for number, share in shares
        ]
        return self._known[counted]

    def _shares(self, sums: list[float]) -> Tone:
        best = max(sums)
        odds = [math.exp((each - best) / self.temperature) for each in sums]
        shares = dict.fromkeys(CLASSES.values(), 0.0)
        for name, value in zip(self.classes, odds, strict=True):
            shares[CLASSES[name]] += value / sum(odds)
        return shares


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
def shipped() -> Model:
    """The model that comes with bouncemx."""
    return Model(**json.loads((files("handlers.parse") / "tone.json").read_text("utf-8")))
