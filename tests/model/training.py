"""Makes a model of handlers/bayes.py out of texts."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from handlers.bayes import LETTERS, SHARE, Bayes


def train(
    texts: Iterable[tuple[str, Iterable[str]]],
    classes: Sequence[str],
    smoothing: float,
    temperature: float,
    keep: Callable[[str, int], bool] = lambda feature, texts: True,
) -> Bayes:
    """`texts` are pairs of a class and its features; `keep` is asked of each feature and the number of its texts."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    sizes: Counter[str] = Counter()
    for name, features in texts:
        sizes[name] += 1
        for feature in features:
            counts[feature][name] += 1
    kept = {feature: by for feature, by in sorted(counts.items()) if keep(feature, by.total())}
    filled = [max(1, sizes[name]) for name in classes]
    totals = [sum(by[c] for by in kept.values()) * SHARE / n for c, n in zip(classes, filled, strict=True)]
    told = {feature: _told(by, classes) for feature, by in kept.items()}
    return Bayes(classes, filled, [round(total, 1) for total in totals], told, smoothing, temperature)


def _told(by: Counter[str], classes: Sequence[str]) -> str:
    return "".join(f"{letter}{by[name]}" for letter, name in zip(LETTERS, classes, strict=False) if by[name])


def dump(model: Bayes, **more: float) -> str:
    """The model as JSON."""
    data = {
        "classes": model.classes, "sizes": model.sizes, "totals": model.totals, "smoothing": model.smoothing,
        "temperature": model.temperature, **more, "counts": model.counts,
    }  # fmt: skip
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"
