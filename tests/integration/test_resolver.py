"""server.resolver against a real DNS server: what it answers, what it remembers, when it gives up."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dns.resolver
import pytest

from handlers.ports import LookupFailed, NoSuchName, Resolver
from server.resolver import DnsResolver
from tests.dns_fixture import Zone

ROOT = ""
HASTY = {"timeout": 0.1, "lifetime": 0.1}
MIXED = {"timeout": 0.3, "lifetime": 0.3}  # silences and answers


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resolver(zone: Zone, clock: Clock) -> DnsResolver:
    return make(zone.port, clock)


def make(port: int, clock: Callable[[], float], **options: Any) -> DnsResolver:
    """Patient, for the answers that must come on a busy machine; `**HASTY` for the silences."""
    options = {"timeout": 10.0, "lifetime": 10.0, **options}
    return DnsResolver(["127.0.0.1"], port, clock=clock, **options)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A bound port where nobody ever answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield deaf.getsockname()[1]


def test_reads_every_type(resolver: Resolver, zone: Zone) -> None:
    zone.add("""
host.example. 60 IN A 192.0.2.1
host.example. 60 IN AAAA 2001:db8::1
host.example. 60 IN MX 10 mx.example.
host.example. 60 IN TXT "two " "strings"
1.2.0.192.in-addr.arpa. 60 IN PTR host.example.
""")
    assert resolver.a("host.example", 5) == ("192.0.2.1",)
    assert resolver.aaaa("host.example", 5) == ("2001:db8::1",)
    assert resolver.mx("host.example", 5) == ((10, "mx.example"),)
    assert resolver.txt("host.example", 5) == (b"two strings",)
    assert resolver.ptr("1.2.0.192.in-addr.arpa", 5) == ("host.example",)


def test_follows_a_cname(resolver: Resolver, zone: Zone) -> None:
    zone.add("alias.example. 60 IN CNAME host.example.\nhost.example. 60 IN A 192.0.2.1")
    assert resolver.a("alias.example", 5) == ("192.0.2.1",)


def test_no_data_is_empty_and_an_absent_name_is_told_apart(resolver: Resolver, zone: Zone) -> None:
    zone.add("host.example. 60 IN A 192.0.2.1")
    assert resolver.txt("host.example", 5) == ()
    with pytest.raises(NoSuchName):
        resolver.txt("absent.example", 5)


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64 + ".example", "a." * 200, "\\", "\\999.x", "ü" * 70, "\ud800.x"]
)
def test_a_name_that_cannot_exist_costs_no_query(resolver: Resolver, zone: Zone, name: str) -> None:
    with pytest.raises(NoSuchName):
        resolver.txt(name, 5)
    assert zone.queries == []


def test_a_truncated_answer_is_asked_for_again_over_tcp(resolver: Resolver, zone: Zone) -> None:
    zone.truncated.add("big.example")
    zone.txt("big.example", "x" * 3000)
    assert resolver.txt("big.example", 5) == (b"x" * 3000,)
    assert [protocol for _, _, protocol in zone.queries] == ["udp", "tcp"]


def test_answers_are_remembered_for_their_time(resolver: Resolver, zone: Zone, clock: Clock) -> None:
    zone.txt("host.example", "one")
    for name in ("host.example", "HOST.example."):
        assert resolver.txt(name, 5) == (b"one",)
    assert len(zone.queries) == 1
    clock.now += 61
    resolver.txt("host.example", 5)
    assert len(zone.queries) == 2


def test_a_poisoned_time_to_live_ends_after_an_hour(resolver: Resolver, zone: Zone, clock: Clock) -> None:
    zone.add("host.example. 2147483647 IN A 192.0.2.1")
    resolver.a("host.example", 5)
    clock.now += 3601
    resolver.a("host.example", 5)
    assert len(zone.queries) == 2


@pytest.mark.parametrize("name", ["absent.example", "host.example"])
def test_what_is_not_there_is_remembered_for_a_minute(resolver: Resolver, zone: Zone, clock: Clock, name: str) -> None:
    zone.add("host.example. 60 IN A 192.0.2.1")

    def ask() -> None:
        try:
            assert resolver.txt(name, 5) == ()
        except NoSuchName:
            assert name == "absent.example"

    ask()
    ask()
    assert len(zone.queries) == 1
    clock.now += 61
    ask()
    assert len(zone.queries) == 2


def test_failures_are_remembered_and_do_not_open_the_breaker(resolver: Resolver, zone: Zone, clock: Clock) -> None:
    zone.servfail |= {f"dead{i}.example" for i in range(5)}
    zone.txt("host.example", "one")
    for i in (0, 0, 0, 1, 2, 3, 4):
        with pytest.raises(LookupFailed):
            resolver.txt(f"dead{i}.example", 60)
    assert len(set(zone.queries)) == len(zone.queries) == 5
    assert resolver.txt("host.example", 60) == (b"one",)
    clock.now += 31
    zone.servfail.clear()
    zone.txt("dead0.example", "back")
    assert resolver.txt("dead0.example", 60) == (b"back",)


def test_large_answers_are_not_kept(resolver: Resolver, zone: Zone) -> None:
    zone.txt("big.example", "x" * 5000)
    zone.truncated.add("big.example")
    for _ in range(2):
        resolver.txt("big.example", 5)
    assert len(zone.queries) == 4


def test_the_cache_drops_what_was_used_longest_ago(zone: Zone, clock: Clock) -> None:
    resolver = make(zone.port, clock, cache_size=2)
    for name in ("a.example", "b.example", "c.example"):
        zone.txt(name, "one")
    for name in ("a.example", "b.example", "a.example", "c.example", "a.example", "b.example"):
        resolver.txt(name, 5)
    assert zone.names() == ["a.example", "b.example", "c.example", "b.example"]


def test_silence_is_a_failure(zone: Zone, clock: Clock) -> None:
    zone.silent.add("silent.example")
    with pytest.raises(LookupFailed, match="Timeout"):
        make(zone.port, clock, **HASTY).txt("silent.example", 5)


def test_a_slow_server_is_not_waited_for(zone: Zone, clock: Clock) -> None:
    zone.waiting["slow.example"] = threading.Event()
    with pytest.raises(LookupFailed):
        make(zone.port, clock, **HASTY).txt("slow.example", 5)
    assert not zone.waiting["slow.example"].is_set()


def test_without_time_nothing_is_asked(resolver: Resolver, zone: Zone) -> None:
    for seconds in (0, -1):
        with pytest.raises(LookupFailed):
            resolver.txt("host.example", seconds)
    assert zone.queries == []


def test_a_hurried_failure_is_not_remembered(resolver: Resolver, zone: Zone) -> None:
    zone.silent.add("host.example")
    with pytest.raises(LookupFailed):
        resolver.txt("host.example", 0.01)
    zone.silent.clear()
    zone.txt("host.example", "one")
    assert resolver.txt("host.example", 5) == (b"one",)


def test_dead_servers_are_left_alone(deaf_port: int, clock: Clock) -> None:
    resolver = make(deaf_port, clock, **HASTY, breaker_failures=2, breaker_seconds=30)
    for name in ("a.example", "b.example"):
        with pytest.raises(LookupFailed, match="Timeout"):
            resolver.txt(name, 5)
    for round_ in range(2):
        for i in range(300):
            with pytest.raises(LookupFailed, match="do not answer"):
                resolver.txt(f"{i}.{round_}.example", 5)
        clock.now += 31  # then one thread looks whether they are back


def test_servers_that_come_back_are_asked_again(zone: Zone, clock: Clock) -> None:
    resolver = make(zone.port, clock, **MIXED, breaker_failures=2, breaker_seconds=30)
    zone.silent |= {"a.example", "b.example", ROOT}
    zone.txt("host.example", "one")
    for name in ("a.example", "b.example"):
        with pytest.raises(LookupFailed):
            resolver.txt(name, 5)
    with pytest.raises(LookupFailed, match="do not answer"):
        resolver.txt("host.example", 5)
    zone.silent.clear()
    with pytest.raises(LookupFailed, match="do not answer"):
        resolver.txt("host.example", 5)
    assert "host.example" not in zone.names()
    clock.now += 31
    assert resolver.txt("host.example", 5) == (b"one",)


@pytest.mark.parametrize("root", ["answers", "servfail"])
def test_slow_zones_do_not_make_the_servers_look_dead(zone: Zone, clock: Clock, root: str) -> None:
    """Else anyone could switch authentication off by sending from domains that never answer."""
    resolver = make(zone.port, clock, **MIXED, breaker_failures=2)
    zone.silent |= {f"{i}.example" for i in range(3)}
    zone.servfail |= {ROOT} if root == "servfail" else set()
    zone.txt("host.example", "one")
    for i in range(3):
        with pytest.raises(LookupFailed, match="Timeout"):
            resolver.txt(f"{i}.example", 5)
    assert resolver.txt("host.example", 5) == (b"one",)


def test_any_answer_closes_the_count(zone: Zone, clock: Clock) -> None:
    resolver = make(zone.port, clock, **MIXED, breaker_failures=2)
    zone.silent |= {"a.example", "b.example", ROOT}
    zone.txt("host.example", "one")
    for name in ("a.example", "absent.example", "b.example"):
        with pytest.raises((LookupFailed, NoSuchName)):
            resolver.txt(name, 5)
    assert resolver.txt("host.example", 5) == (b"one",)
    assert ROOT not in zone.names()


def test_a_closed_port_is_a_failure(clock: Clock) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(LookupFailed):
        make(port, clock, **HASTY).txt("host.example", 5)


def test_threads_share_it(zone: Zone, clock: Clock) -> None:
    resolver = make(zone.port, clock, cache_size=10)
    for i in range(20):
        zone.txt(f"{i}.example", f"text {i}")
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda i: resolver.txt(f"{i % 20}.example", 5), range(200)))
    assert texts == [(f"text {i % 20}".encode(),) for i in range(200)]


def test_takes_the_systems_servers_where_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    real = dns.resolver.Resolver

    def build(configure: bool = True) -> dns.resolver.Resolver:
        asked.append(configure)
        return real(configure=False)

    monkeypatch.setattr(dns.resolver, "Resolver", build)
    DnsResolver()
    DnsResolver(["192.0.2.53"])
    assert asked == [True, False]


def test_a_server_must_be_an_address() -> None:
    with pytest.raises(ValueError, match="nameserver"):
        DnsResolver(["not an address"])
