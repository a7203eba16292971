"""Pauses grow, differ and end; the breaker opens, probes and closes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.webhooks.patience import Health, Patience, State

AT = datetime(2026, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


def patience(random: float = 0.5, failures: int = 3) -> Patience:
    return Patience(failures=failures, random=lambda: random)


def failed(health: Health, times: int, at: datetime = AT) -> Health:
    for _ in range(times):
        health = health.failed("HTTP 500", at, at, patience())
    return health


def test_pauses_double_up_to_six_hours() -> None:
    pauses = [patience().pause(tries).total_seconds() for tries in range(1, 16)]
    assert pauses[:5] == [5, 10, 20, 40, 80]
    assert pauses[-3:] == [20480, 21600, 21600]


def test_tries_go_on_for_days_and_are_not_many() -> None:
    times, now = 0, timedelta()
    while now < patience().lifetime:
        times += 1
        now += patience().pause(times)
    assert now >= timedelta(days=3)
    assert 15 <= times <= 30


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_jitter_is_a_fifth(tries: int, random: float) -> None:
    middle = patience().pause(tries)
    assert 0.79 * middle <= patience(random).pause(tries) <= 1.21 * middle


@pytest.mark.parametrize(
    ("asked", "pause"), [(timedelta(seconds=1), 5), (timedelta(seconds=90), 90), (timedelta(days=90), 6 * 3600)]
)
def test_retry_after_lengthens_a_pause_within_bounds(asked: timedelta, pause: int) -> None:
    assert patience().pause(1, asked).total_seconds() == pause


def test_the_breaker_opens_behind_enough_failures_in_a_row() -> None:
    health = failed(Health(), 2)
    assert (health.state, health.failures) == (State.ENABLED, 2)
    assert failed(health.succeeded(), 2).state is State.ENABLED
    broken = failed(health, 1)
    assert (broken.state, broken.broken_since, broken.why) == (State.BROKEN, AT, "HTTP 500")
    assert broken.probe_at == AT + timedelta(seconds=5)


def test_what_was_under_way_when_it_opened_counts_no_more() -> None:
    broken = failed(Health(), 3)
    assert failed(broken, 5) == broken


def test_each_failed_probe_makes_the_next_one_later_up_to_an_hour() -> None:
    health, pauses = failed(Health(), 3), []
    for _ in range(15):
        assert health.probe_at is not None
        at = health.probe_at
        health = failed(health, 1, at)
        assert health.probe_at is not None
        pauses.append((health.probe_at - at).total_seconds())
    assert pauses[:3] == [10, 20, 40]
    assert pauses[-1] == 3600
    assert health.broken_since == AT


def test_a_pause_begins_when_the_try_has_ended() -> None:
    broken = failed(Health(), 2).failed("no answer", AT - HOUR, AT, patience())
    assert (broken.broken_since, broken.probe_at) == (AT, AT + timedelta(seconds=5))


def test_one_success_closes_it() -> None:
    assert failed(Health(), 4).succeeded() == Health()


def test_a_disabled_one_stays_so() -> None:
    gone = failed(Health(), 4).gone("HTTP 410")
    assert gone == Health(State.DISABLED, why="HTTP 410")
    assert gone.succeeded() == gone
    assert failed(gone, 20) == gone
