"""Order, repeats and kills change no state. tests/e2e/convergence.py runs it with 200 000 mails."""

from pathlib import Path

from tests.e2e import convergence


def test_states_are_those_of_the_ordered_run(tmp_path: Path) -> None:
    result = convergence.run(tmp_path, 1500, seed=5, pause=(0.0, 0.3))
    assert result.kills >= 1
    assert set(result.states) == {"pending", "soft", "soft assumed", "hard", "delivered"}
    assert result.different == []
