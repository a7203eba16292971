"""Trains handlers/rules/guess.json: python -m tests.model.train_guess (or --check to see what it is worth).

The texts are those of texts.toml, the examples of the rules, and what the rules' own patterns can look like. Nothing of
anybody's mail. Temperature and threshold come from cross-validation over texts.toml, which no rule has to know.
"""

import random
import re
import sys
import tomllib
from pathlib import Path

from handlers.bayes import Bayes
from handlers.folding import fold
from handlers.guess import Guesser, features
from handlers.ruleset import FALLBACKS, Ruleset, load
from handlers.words import Reason
from tests.model import training

HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "handlers" / "rules" / "guess.json"
SMOOTHING, FOLDS, FORMS = 0.01, 5, 16
WANTED = 0.8  # of the guesses that are spoken out are right
Texts = list[tuple[str, Reason]]


def written() -> Texts:
    """The texts of texts.toml, folded."""
    table = tomllib.loads((HERE / "texts.toml").read_text(encoding="utf-8"))
    return [(fold(text), Reason(reason)) for reason, texts in table.items() for text in texts]


def of_rules(ruleset: Ruleset) -> Texts:
    """Examples and a few forms of every pattern."""
    shuffle = random.Random(7)  # the same model every time
    texts: Texts = []
    for rule in ruleset.rules:
        if rule.table.removesuffix(".toml") in FALLBACKS or rule.reason is Reason.UNKNOWN or rule.phases or rule.status:
            continue  # where the step or the status decides, the words do not
        texts.append((fold(rule.example.text), rule.reason))
        for pattern in rule.patterns:
            forms = {one_form(pattern.source, shuffle) for _ in range(FORMS)}
            texts += [(fold(form), rule.reason) for form in sorted(forms)]
    return texts


_GROUP = re.compile(r"\(([^()]*)\)(\?|\{0,\d\})?")
_GAP = re.compile(r"(?:\\[SwWd.]|\.(?=\{)|\[[^\]]*\])(?:\{[\d,]+\})?")


def one_form(source: str, shuffle: random.Random) -> str:
    """One text that the pattern `source` matches, more or less: gaps are left out."""
    text = _GAP.sub("x", source.strip("^$").removeprefix(".")).replace("... ", "")
    while group := _GROUP.search(text):
        left_out = group[2] and shuffle.random() < 0.5
        chosen = "" if left_out else shuffle.choice(group[1].split("|"))
        text = text[: group.start()] + chosen + text[group.end() :]
    text = shuffle.choice(text.split("|"))
    return re.sub(r".\?", lambda letter: letter[0][0] if shuffle.random() < 0.5 else "", text)


def train(texts: Texts, temperature: float) -> Bayes:
    """A model of folded texts and their reasons."""
    known = ((reason, features(folded)) for folded, reason in texts)
    return training.train(known, sorted({reason for _, reason in texts}), SMOOTHING, temperature)


def cross_validate(texts: Texts, base: Texts, temperature: float) -> list[tuple[float, bool]]:
    """Confidence and correctness of every written text, guessed by a model that has not seen it."""
    shuffled = random.Random(3).sample(texts, len(texts))
    results = []
    for fold_number in range(FOLDS):
        held = shuffled[fold_number::FOLDS]
        rest = [text for n, text in enumerate(shuffled) if n % FOLDS != fold_number]
        model = Guesser(train(rest + base, temperature), threshold=0.0)
        for folded, reason in held:
            found = model.guess(folded)  # says nothing where it takes the words for empty ones
            if found:
                results.append((found[1], found[0] is reason))
    return results


def calibrate(texts: Texts, base: Texts) -> tuple[float, float]:
    """The temperature with the least error of the confidence, and the threshold that WANTED asks for."""
    runs = {t: cross_validate(texts, base, t) for t in (1.0, 1.25, 1.5, 1.75, 2.0, 2.5)}
    temperature = min(runs, key=lambda t: sum((sure - right) ** 2 for sure, right in runs[t]))
    ranked = sorted(runs[temperature], reverse=True)
    threshold = 1.0
    for n in range(20, len(ranked)):
        if sum(right for _, right in ranked[:n]) / n >= WANTED:
            threshold = ranked[n - 1][0]
    return temperature, round(threshold, 2)


def main() -> None:
    texts, base = written(), of_rules(load())
    temperature, threshold = calibrate(texts, base)
    results = cross_validate(texts, base, temperature)
    spoken = [right for sure, right in results if sure >= threshold]
    print(f"temperature {temperature}, threshold {threshold}: {len(spoken)} of {len(texts)} guessed,", end=" ")
    print(f"{sum(spoken) / len(spoken):.0%} right; all {sum(r for _, r in results) / len(texts):.0%}")
    model = training.dump(train(texts + base, temperature), threshold=threshold)
    print(f"{len(model)} characters")
    if "--check" not in sys.argv:
        MODEL.write_text(model, encoding="utf-8")


if __name__ == "__main__":
    main()
