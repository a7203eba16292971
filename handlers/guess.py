"""The guess: what a reply that no rule knows probably means, by the stems of its words.

The model is handlers/rules/guess.json, made by tests/model/train_guess.py from texts that stand in this repository. A
guess says how sure it is, and says nothing where it is not sure enough.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from handlers.bayes import Bayes
from handlers.words import Reason

MAX_WORDS = 60
STEM = 6  # letters: "reject", "rejected" and "rejecting" are one
STOPS = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "been", "by", "for", "from", "has", "have", "in", "is", "it", "its"}
    | {"of", "on", "or", "our", "that", "the", "this", "to", "was", "we", "with", "your"}
)


@dataclass(frozen=True, slots=True)
class Guesser:
    """A trained model, and from where it speaks out."""

    model: Bayes  # its classes are reasons
    threshold: float

    @classmethod
    def load(cls) -> "Guesser":
        """The model that comes with bouncemx."""
        return _shipped()

    def guess(self, folded: str) -> tuple[Reason, float] | None:
        """The likeliest reason and how sure it is (0 to 1); None below the threshold or for empty words."""
        found = self.likeliest(features(folded))
        if not found or found[0] is Reason.UNKNOWN or found[1] < self.threshold:
            return None
        return found

    def likeliest(self, words: Iterable[str]) -> tuple[Reason, float] | None:
        """As guess(), whatever the threshold; None where no word is known."""
        shares = self.model.shares(words)
        if not shares:
            return None
        best = max(shares, key=shares.__getitem__)
        return Reason(best), shares[best]


def features(folded: str) -> list[str]:
    """The stems of a folded text's words: without numbers, host names and the smallest words."""
    words = [word for word in folded.split()[:MAX_WORDS] if word.isalpha() and len(word) < 20]
    return list(dict.fromkeys(word[:STEM] for word in words if word not in STOPS))


@cache
def _shipped() -> Guesser:
    data = json.loads((files("handlers") / "rules" / "guess.json").read_text(encoding="utf-8"))
    return Guesser(threshold=data.pop("threshold"), model=Bayes(**data))
