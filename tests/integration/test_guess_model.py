"""The model of reasons that is shipped: made from the texts of this repository, and as sure as it may be."""

from handlers.guess import Guesser
from handlers.ruleset import load
from tests.model import train_guess, training

MODEL = Guesser.load()


def test_the_shipped_model_is_what_the_script_makes() -> None:
    texts, base = train_guess.written(), train_guess.of_rules(load())
    made = training.dump(train_guess.train(texts + base, MODEL.model.temperature), threshold=MODEL.threshold)
    assert train_guess.MODEL.read_text("utf-8") == made, "run python -m tests.model.train_guess"
    assert len(made) < 300_000


def test_what_is_spoken_out_is_mostly_right() -> None:
    """By cross-validation over texts that the model has not seen."""
    texts, base = train_guess.written(), train_guess.of_rules(load())
    results = train_guess.cross_validate(texts, base, MODEL.model.temperature)
    spoken = [right for sure, right in results if sure >= MODEL.threshold]
    assert sum(spoken) / len(spoken) >= train_guess.WANTED - 0.05
    assert len(spoken) > len(texts) / 3
