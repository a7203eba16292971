"""The guess: what a reply that no rule knows probably means, by naive Bayes over the stems of its words.

The model is handlers/rules/guess.json, made by tests/model/train_guess.py from texts that stand in this repository. A
guess says how sure it is, and says nothing where it is not sure enough.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from handlers.words import Reason

MAX_WORDS = 60
STEM = 6  # letters: "reject", "rejected" and "rejecting" are one
STOPS = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "been", "by", "for", "from", "has", "have", "in", "is", "it", "its"}
    | {"of", "on", "or", "our", "that", "the", "this", "to", "was", "we", "with", "your"}
)


@dataclass(frozen=True, slots=True)
class Guesser:
    """A trained model. Counts are of texts: how many of a reason have the feature."""

    reasons: tuple[Reason, ...]
    totals: tuple[float, ...]  # sum of the counts of each reason
    counts: Mapping[str, Mapping[int, float]]  # feature -> number of a reason -> count
    smoothing: float
    temperature: float  # what the log odds are divided by, so that the confidence is honest
    threshold: float

    @classmethod
    def load(cls) -> "Guesser":
        """The model that comes with bouncemx."""
        return _shipped()

    @classmethod
    def read(cls, text: str) -> "Guesser":
        """A model as train_guess.py writes it."""
        data = json.loads(text)
        return cls(
            reasons=tuple(map(Reason, data["reasons"])),
            totals=tuple(data["totals"]),
            counts={word: {int(n): c for n, c in by.items()} for word, by in data["counts"].items()},
            smoothing=data["smoothing"],
            temperature=data["temperature"],
            threshold=data["threshold"],
        )

    def guess(self, folded: str) -> tuple[Reason, float] | None:
        """The likeliest reason and how sure it is (0 to 1); None below the threshold or for empty words."""
        found = self.likeliest(features(folded))
        if not found or found[0] is Reason.UNKNOWN or found[1] < self.threshold:
            return None
        return found

    def likeliest(self, words: Iterable[str]) -> tuple[Reason, float] | None:
        """As guess(), whatever the threshold; None where no word is known."""
        known = [self.counts[word] for word in words if word in self.counts]
        if not known:
            return None
        size = len(self.counts)
        scores = [
            sum(math.log((by.get(n, 0) + self.smoothing) / (total + self.smoothing * size)) for by in known)
            for n, total in enumerate(self.totals)
        ]
        best = max(range(len(scores)), key=scores.__getitem__)
        odds = sum(math.exp((score - scores[best]) / self.temperature) for score in scores)
        return self.reasons[best], 1 / odds


def features(folded: str) -> Iterator[str]:
    """The stems of a folded text's words: without numbers, host names and the smallest words."""
    words = [word for word in folded.split()[:MAX_WORDS] if word.isalpha() and len(word) < 20]
    yield from dict.fromkeys(word[:STEM] for word in words if word not in STOPS)


def train(texts: Sequence[tuple[str, Reason]], smoothing: float, temperature: float, threshold: float) -> Guesser:
    """A model of folded texts and their reasons."""
    reasons = tuple(sorted({reason for _, reason in texts}))
    number = {reason: n for n, reason in enumerate(reasons)}
    counts: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    sizes = [0] * len(reasons)
    for _, reason in texts:
        sizes[number[reason]] += 1
    for folded, reason in texts:
        for feature in features(folded):
            counts[feature][number[reason]] += 100 / sizes[number[reason]]
    totals = [0.0] * len(reasons)
    for by in counts.values():
        for n, count in by.items():
            totals[n] += count
    return Guesser(reasons, tuple(totals), {f: dict(by) for f, by in counts.items()}, smoothing, temperature, threshold)


@cache
def _shipped() -> Guesser:
    return Guesser.read((files("handlers") / "rules" / "guess.json").read_text(encoding="utf-8"))
