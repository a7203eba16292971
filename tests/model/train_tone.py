"""Trains handlers/parse/tone.json: python -m tests.model.train_tone (or --check to see what it is worth).

The texts are those of tone/LANGUAGE.toml: a section a class, each text with its subject. All were written for this;
nothing of anybody's mail. The temperature comes from cross-validation.
"""

import random
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from handlers.bayes import Bayes
from handlers.parse.phrases import Folded
from handlers.parse.tone import CLASSES, by_kind, features
from tests.model import training

HERE = Path(__file__).parent / "tone"
MODEL = HERE.parent.parent.parent / "handlers" / "parse" / "tone.json"
SMOOTHING, FOLDS = 0.02, 5
TEMPERATURES = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
OFTEN = 3  # a word of a subject is a feature of its own from so many texts on
Texts = list[tuple[str, str, str]]  # class, subject, body


def written() -> Texts:
    """All texts, language by language."""
    return [
        (name, subject, body)
        for path in sorted(HERE.glob("*.toml"))
        for name, section in tomllib.loads(path.read_text("utf-8")).items()
        for subject, body in section["texts"]
    ]


def train(texts: Iterable[tuple[str, str, str]], temperature: float = 4.0) -> Bayes:
    """A model of the texts."""
    known = ((name, features(Folded(subject), Folded(body))) for name, subject, body in texts)
    return training.train(known, sorted(CLASSES), SMOOTHING, temperature, _is_kept)


def _is_kept(feature: str, texts: int) -> bool:
    return texts >= OFTEN or not feature.endswith(":")


def cross_validate(texts: Texts, temperature: float) -> list[tuple[float, bool]]:
    """Confidence and correctness of every text, judged by a model that has not seen it."""
    shuffled = random.Random(3).sample(texts, len(texts))
    results = []
    for fold in range(FOLDS):
        model = train((text for n, text in enumerate(shuffled) if n % FOLDS != fold), temperature)
        for name, subject, body in shuffled[fold::FOLDS]:
            tone = by_kind(model.shares(features(Folded(subject), Folded(body))))
            if tone:
                likeliest = max(tone, key=tone.__getitem__)
                results.append((tone[likeliest], likeliest is CLASSES[name]))
    return results


def calibrate(texts: Texts) -> float:
    """The temperature with the least error of the confidence."""
    return min(TEMPERATURES, key=lambda t: sum((sure - right) ** 2 for sure, right in cross_validate(texts, t)))


def main() -> None:
    texts = written()
    temperature = calibrate(texts)
    results = cross_validate(texts, temperature)
    print(
        f"{len(texts)} texts, temperature {temperature}: {sum(right for _, right in results) / len(results):.1%} right"
    )
    for sure in (0.5, 0.8, 0.9, 0.95, 0.99):
        spoken = [right for each, right in results if each >= sure]
        print(f"  {len(spoken) / len(results):.0%} at least {sure} sure, {sum(spoken) / len(spoken):.1%} of them right")
    told = training.dump(train(texts, temperature))
    print(f"{len(told)} characters")
    if "--check" not in sys.argv:
        MODEL.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
