"""The model of tones that is shipped: made from the texts of this repository, and as sure as it may be."""

import re
from functools import cache

from handlers.parse.tone import CLASSES, shipped
from tests.model import train_tone, training

_DOMAIN = re.compile(r"(?:@|https?://|www\.)([A-Za-z0-9.-]*[A-Za-z0-9])")


@cache
def texts() -> train_tone.Texts:
    return train_tone.written()


def test_it_is_what_the_script_makes() -> None:
    made = training.dump(train_tone.train(texts(), shipped().temperature))
    assert train_tone.MODEL.read_text("utf-8") == made, "run python -m tests.model.train_tone"
    assert len(made) < 1_000_000


def test_every_class_has_texts() -> None:
    assert {name for name, _, _ in texts()} == set(CLASSES)


def test_no_text_stands_there_twice() -> None:
    assert len(set(texts())) == len(texts())


def test_texts_use_reserved_names_only() -> None:
    """No host and no address of anybody real (RFC 2606)."""
    found = {domain.lower() for _, subject, body in texts() for domain in _DOMAIN.findall(f"{subject} {body}")}
    assert {name for name in found if not name.endswith((".example", ".test")) and "." in name} == set()


def test_what_it_is_sure_of_is_mostly_right() -> None:
    """By cross-validation over texts of a line or two that the model has not seen."""
    results = train_tone.cross_validate(texts(), shipped().temperature)
    sure = [right for share, right in results if share >= 0.9]
    assert sum(sure) / len(sure) >= 0.9
    assert len(sure) > len(results) / 6
