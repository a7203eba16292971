"""Naive Bayes by odds: what a class has more often than the others, whatever its size."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.bayes import Bayes
from tests.model.training import dump, train

TEXTS = [
    ("hot", ["sun", "sand", "sea"]),
    ("hot", ["sun", "beach", "sea"]),
    ("cold", ["snow", "ice", "sea"]),
    ("cold", ["snow", "wind"]),
]


def model(texts: list[tuple[str, list[str]]] = TEXTS, temperature: float = 1.0) -> Bayes:
    return train(texts, ["cold", "hot"], smoothing=0.1, temperature=temperature)


def test_it_learns() -> None:
    assert model().shares(["sun", "sand"])["hot"] > 0.99
    assert model().shares(["snow"])["cold"] > 0.9


def test_what_both_have_tells_little() -> None:
    assert model().shares(["sea"])["hot"] < 0.8


@given(st.lists(st.sampled_from(["sun", "sand", "sea", "snow", "ice", "wind", "moon"]), max_size=9))
def test_shares_add_up_to_one_or_nothing_is_known(words: list[str]) -> None:
    shares = model().shares(words)
    assert not shares or sum(shares.values()) == pytest.approx(1)
    assert bool(shares) == any(word != "moon" for word in words)


def test_few_features_say_nothing() -> None:
    assert model().shares(["sun", "moon"], fewest=2) == {}
    assert model().shares(["sun", "sand"], fewest=2) != {}


def test_a_class_with_many_texts_weighs_no_more() -> None:
    often = [*TEXTS, *[("cold", ["snow", f"flake{n}"]) for n in range(40)]]
    assert model(often).shares(["sun"])["hot"] > 0.9


def test_a_high_temperature_doubts() -> None:
    assert model(temperature=5.0).shares(["sun"])["hot"] < model().shares(["sun"])["hot"]


def test_what_is_not_kept_is_not_known() -> None:
    rare = train(TEXTS, ["cold", "hot"], 0.1, 1.0, keep=lambda feature, texts: texts > 1)
    assert sorted(rare.counts) == ["sea", "snow", "sun"]


def test_a_model_survives_its_file() -> None:
    text = dump(model(), threshold=0.5)
    assert json.loads(text)["counts"]["sea"] == "a1b2"  # of the first class one text, of the second two
    data = json.loads(text)
    del data["threshold"]
    assert Bayes.read(json.dumps(data)).shares(["sea", "ice"]) == model().shares(["sea", "ice"])
