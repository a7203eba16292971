"""Naive Bayes by odds: how much more often one class of texts has a feature than all the others have it.

Models are JSON files, trained by the scripts in tests/model/.
"""

import json
import math
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SHARE = 100.0  # what the texts of a class weigh together, however many there are
LETTERS = string.ascii_letters  # name the classes in the counts
_NUMBER = {letter: number for number, letter in enumerate(LETTERS)}
_COUNTED = re.compile(r"([a-zA-Z])(\d+)")


@dataclass(frozen=True, slots=True)
class Bayes:
    """A model. "a12c3" are 12 texts of the first class and 3 of the third that have a feature."""

    classes: Sequence[str]
    sizes: Sequence[int]  # texts of each class
    totals: Sequence[float]  # what all features of a class weigh
    counts: Mapping[str, str]
    smoothing: float
    temperature: float  # what the log odds are divided by, so that the shares are honest
    _known: dict[str, list[tuple[int, float]]] = field(default_factory=dict)  # what was worked out before

    @classmethod
    def read(cls, text: str) -> "Bayes":
        """A model from its file."""
        return cls(**json.loads(text))

    def shares(self, features: Iterable[str], fewest: int = 1) -> dict[str, float]:
        """Class -> how likely the text is of it, 1 together; empty where fewer than `fewest` features are known."""
        found = [self.counts[feature] for feature in features if feature in self.counts]
        if len(found) < fewest:
            return {}
        sums = self._start(len(found))
        for counted in found:
            for number, odds in self._known.get(counted) or self._odds(counted):
                sums[number] += odds
        best = max(sums)
        weights = [math.exp((each - best) / self.temperature) for each in sums]
        every = sum(weights)
        return {name: weight / every for name, weight in zip(self.classes, weights, strict=True)}

    def _start(self, features: int) -> list[float]:
        """The odds of so many features that no class has."""
        spread, every = self.smoothing * len(self.counts), sum(self.totals)
        return [features * math.log((every - own + spread) / (own + spread)) for own in self.totals]

    def _odds(self, counted: str) -> list[tuple[int, float]]:
        """Of the classes that have the feature; what all classes have in common is left out."""
        numbers = [(_NUMBER[letter], int(count)) for letter, count in _COUNTED.findall(counted)]
        shares = [(number, count * SHARE / self.sizes[number]) for number, count in numbers]
        least, every = self.smoothing, sum(share for _, share in shares)
        self._known[counted] = [
            (number, math.log((share + least) * (every + least) / (least * (every - share + least))))
            for number, share in shares
        ]
        return self._known[counted]
