"""Now and then."""

import time

import pytest

from server.interval import Interval


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_first_question_finds_it_over_and_the_next_ones_not_before_its_time(clock: list[float]) -> None:
    interval = Interval(5)
    assert interval.is_over()
    for at, over in ((100.0, False), (104.9, False), (105.0, True), (109.0, False), (200.0, True)):
        clock[0] = at
        assert interval.is_over() is over


def test_it_can_be_ended(clock: list[float]) -> None:
    interval = Interval(5)
    assert interval.is_over()
    interval.end()
    assert interval.is_over()
    assert not interval.is_over()
