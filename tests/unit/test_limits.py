"""What one client may take: connections, guesses and memory, under a clock that stands still."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.limits import _REMEMBERED_GUESSERS, Usage, network_of
from server.settings import Limits, UserError, load


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def usage(clock: Callable[[], float] = lambda: 0.0, **limits: int) -> Usage:
    return Usage(Limits(**limits), clock)


def test_connections_of_one_address() -> None:
    used = usage(connections_per_address=2)
    assert [used.connect("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert used.connect("192.0.2.2")
    used.disconnect("192.0.2.1")
    assert used.connect("192.0.2.1")


def test_connections_of_one_network() -> None:
    used = usage(connections_per_network=2)
    assert [used.connect(f"192.0.2.{n}") for n in range(3)] == [True, True, False]
    assert used.connect("192.0.3.1")
    assert [used.connect(f"2001:db8::{n}") for n in range(3)] == [True, True, False]
    assert used.connect("2001:db8:0:1::1")


def test_connections_of_all() -> None:
    used = usage(connections=2)
    assert [used.connect(f"192.0.{n}.1") for n in range(3)] == [True, True, False]
    used.disconnect("192.0.0.1")
    assert used.connect("198.51.100.1")


@given(st.lists(st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.1.1", "::1", ""]), st.booleans())))
def test_who_is_refused_is_not_counted(events: list[tuple[str, bool]]) -> None:
    used = usage(connections=4, connections_per_address=2, connections_per_network=3)
    live: list[str] = []
    for address, leaves in events:
        if leaves and live:
            used.disconnect(live.pop())
        elif used.connect(address):
            live.append(address)
        assert used.connections == len(live) <= 4
        assert all(live.count(each) <= 2 for each in live)
    for address in live:
        used.disconnect(address)
    assert used.connections == 0
    assert not used._addresses  # nothing is remembered of those who left
    assert not used._networks


def test_guesses_within_the_window() -> None:
    clock = Clock()
    used = usage(clock, guesses=3, guess_window=60)
    for seconds in (0, 10):
        clock.now = seconds
        used.guessed("192.0.2.1")
    assert not used.is_guessing("192.0.2.1")
    used.guessed("192.0.2.1")
    assert used.is_guessing("192.0.2.1")
    assert not used.is_guessing("192.0.2.2")
    clock.now = 60
    assert used.is_guessing("192.0.2.1")
    clock.now = 60.1
    assert not used.is_guessing("192.0.2.1")
    used.guessed("192.0.2.1")  # a new window
    assert not used.is_guessing("192.0.2.1")


def test_only_so_many_guessers_are_remembered_the_latest_ones() -> None:
    used = usage(guesses=1)
    used.guessed("first")
    for number in range(_REMEMBERED_GUESSERS - 1):
        used.guessed(str(number))
    used.guessed("first")  # seen again: not the oldest any more
    used.guessed("one more")
    assert used.is_guessing("first")
    assert used.is_guessing("one more")
    assert not used.is_guessing("0")


def test_memory_for_mail_in_flight() -> None:
    used = usage(in_flight_octets=1 << 20)
    assert used.reserve(1 << 20)
    assert not used.reserve(1)
    used.release(10)
    assert used.reserve(10)
    assert not used.reserve(1)


def test_a_message_that_never_finds_room_is_told_at_the_start(tmp_path: Path) -> None:
    toml = tmp_path / "bouncemx.toml"
    toml.write_text("[limits]\nmessage_octets = 104857600\nin_flight_octets = 104857600\n")
    with pytest.raises(UserError, match="in_flight_octets = 104857600: give at least twice"):
        load(tmp_path)
    toml.write_text("[limits]\nmessage_octets = 104857600\nin_flight_octets = 209715200\n")
    assert load(tmp_path).limits.in_flight_octets == 200 << 20


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2"),
        ("2001:db8:1:2:3::4", "2001:0db8:0001:0002"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("", ""),
        ("no: address", "no: address"),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network
