"""SPF of a capture against a real DNS server: results, costs, hostile zones, dead servers."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.authenticate import Authentication, Limits, authenticate
from handlers.envelope import Envelope, Mail
from handlers.ports import Resolver
from server.resolver import DnsResolver
from tests.dns_fixture import Zone

NOTICE = b"From: MAILER-DAEMON\r\nSubject: Undelivered\r\n\r\nno such user\r\n"


def mail(reverse_path: str = "", helo: str = "mail.sender.example", client: str = "192.0.2.10") -> Mail:
    envelope = Envelope(reverse_path, ("b@bounce.test",), helo, client, datetime(2026, 1, 1, tzinfo=UTC))
    return Mail(0, envelope, NOTICE)


@pytest.fixture
def resolver(zone: Zone) -> DnsResolver:
    return DnsResolver(["127.0.0.1"], zone.port, timeout=10, lifetime=10)


def check(resolver: Resolver, limits: Limits | None = None, **envelope: Any) -> Authentication:
    return authenticate(mail(**envelope), resolver, "mx.bounce.test", limits)


class NoDns:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"DNS was asked for {name}")


@pytest.mark.parametrize(
    ("record", "client", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.10", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "198.51.100.1", "fail"),
        ("v=spf1 ip4:192.0.2.0/24 ~all", "198.51.100.1", "softfail"),
        ("v=spf1 ip4:192.0.2.0/24", "198.51.100.1", "neutral"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "::ffff:192.0.2.10", "pass"),
        ("v=spf1 a -all", "192.0.2.77", "pass"),
        ("v=spf1 a -all", "2001:db8::77", "pass"),
        ("v=spf1 mx -all", "192.0.2.88", "pass"),
        ("v=spf1 ptr -all", "192.0.2.77", "pass"),
        ("v=spf1 include:_spf.sender.example -all", "203.0.113.5", "pass"),
        ("v=spf1 redirect=_spf.sender.example", "203.0.113.5", "pass"),
        ("v=spf1 exists:%{ir}.%{v}.%{d2} -all", "203.0.113.9", "pass"),
        ("v=spf1 moo -all", "192.0.2.10", "permerror"),
        ("v=spf1 include:mail.sender.example -all", "192.0.2.10", "permerror"),
        ("v=spf1 ip4:192.0.2.10 -all exp=exp.sender.example", "198.51.100.1", "fail"),
        ("v=spf1 ip4:192.0.2.10 " + " " * 5000, "192.0.2.10", "permerror"),
        ("v=spf10 ip4:192.0.2.10 -all", "192.0.2.10", "none"),
    ],
)
def test_result(resolver: Resolver, zone: Zone, record: str, client: str, result: str) -> None:
    zone.truncated.add("mail.sender.example")  # long records come over TCP
    zone.txt("mail.sender.example", record)
    zone.txt("_spf.sender.example", "v=spf1 ip4:203.0.113.5 -all")
    zone.add("""
mail.sender.example. 60 IN A 192.0.2.77
mail.sender.example. 60 IN AAAA 2001:db8::77
mail.sender.example. 60 IN MX 10 mx.sender.example.
mx.sender.example. 60 IN A 192.0.2.88
77.2.0.192.in-addr.arpa. 60 IN PTR mail.sender.example.
9.113.0.203.in-addr.sender.example. 60 IN A 127.0.0.2
""")
    assert check(resolver, client=client).spf == result
    assert "exp.sender.example" not in zone.names()


def test_the_null_reverse_path_is_postmaster_at_helo(resolver: Resolver, zone: Zone) -> None:
    zone.txt("mail.sender.example", "v=spf1 exists:%{l}.%{d} -all")
    zone.add("postmaster.mail.sender.example. 60 IN A 127.0.0.2")
    result = check(resolver)
    assert result.spf == "pass"
    assert b"smtp.helo=mail.sender.example" in result.header


def test_a_reverse_path_is_checked_by_its_own_domain(resolver: Resolver, zone: Zone) -> None:
    zone.txt("sender.example", "v=spf1 ip4:192.0.2.10 -all")
    result = check(resolver, reverse_path='"odd@local"@Sender.EXAMPLE')
    assert result.spf == "pass"
    assert b"spf=pass smtp.mailfrom=sender.example" in result.header
    assert "mail.sender.example" not in zone.names()


@pytest.mark.parametrize(
    "client",
    [
        *("127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.1.1", "fd00::1", "fe80::1%eth0"),
        *("::ffff:10.0.0.1", "0.0.0.0", "", "unknown", "list", "192.0.2.999"),  # noqa: S104 - an address as text
    ],
)
def test_a_client_of_our_own_costs_no_query(client: str) -> None:
    result = check(NoDns(), client=client)
    assert result.results == {"spf": "none", "dkim": "none", "arc": "none", "dmarc": "none"}


@pytest.mark.parametrize(
    "helo", ["", "localhost", "[192.0.2.1]", "192.0.2.1", "a b.test", "x..test", "ü" * 300, "\ud800.x"]
)
def test_a_helo_that_is_no_domain_costs_no_query(helo: str) -> None:
    assert check(NoDns(), helo=helo).spf == "none"


def test_a_sender_without_records_is_none(resolver: Resolver, zone: Zone) -> None:
    assert check(resolver).spf == "none"
    assert zone.names() == ["mail.sender.example"]


# costs


def test_includes_in_a_loop_end(resolver: Resolver, zone: Zone) -> None:
    zone.txt("mail.sender.example", "v=spf1 include:a.example -all")
    zone.txt("a.example", "v=spf1 include:b.example -all")
    zone.txt("b.example", "v=spf1 include:a.example -all")
    assert check(resolver).spf == "permerror"
    assert len(zone.queries) <= 3  # remembered


def test_includes_without_end_cost_eleven_queries(resolver: Resolver, zone: Zone) -> None:
    for i in range(40):
        zone.txt(f"s{i}.example", f"v=spf1 include:s{i + 1}.example include:t{i}.example -all")
        zone.txt(f"t{i}.example", "v=spf1 -all")
    assert check(resolver, helo="s0.example").spf == "permerror"
    assert len(zone.queries) <= 11


def test_redirects_without_end_are_a_permerror(resolver: Resolver, zone: Zone) -> None:
    for i in range(40):
        zone.txt(f"s{i}.example", f"v=spf1 redirect=s{i + 1}.example")
    assert check(resolver, helo="s0.example").spf == "permerror"
    assert len(zone.queries) <= 12


def test_void_lookups_end_after_two(resolver: Resolver, zone: Zone) -> None:
    zone.txt("mail.sender.example", "v=spf1 " + " ".join(f"a:void{i}.example" for i in range(9)) + " -all")
    assert check(resolver).spf == "permerror"
    assert len(zone.queries) == 4


def test_many_hosts_end_at_the_query_budget(resolver: Resolver, zone: Zone) -> None:
    zone.txt("mail.sender.example", "v=spf1 " + " ".join(f"mx:m{i}.example" for i in range(9)) + " -all")
    for i in range(9):
        for j in range(10):
            zone.add(f"m{i}.example. 60 IN MX 10 h{i}-{j}.example.\nh{i}-{j}.example. 60 IN A 203.0.113.1")
    assert check(resolver).spf == "permerror"
    assert len(zone.queries) == Limits().spf_queries


def test_a_second_check_is_answered_from_the_cache(resolver: Resolver, zone: Zone) -> None:
    zone.txt("mail.sender.example", "v=spf1 include:a.example -all")
    zone.txt("a.example", "v=spf1 ip4:192.0.2.10 -all")
    assert [check(resolver).spf, len(zone.queries), check(resolver).spf, len(zone.queries)] == ["pass", 2, "pass", 2]


# failures and poison


@pytest.mark.parametrize("fault", ["servfail", "silent"])
@pytest.mark.parametrize("name", ["mail.sender.example", "a.example"])
def test_a_dns_that_fails_is_a_temperror(resolver: Resolver, zone: Zone, fault: str, name: str) -> None:
    zone.txt("mail.sender.example", "v=spf1 include:a.example -all")
    getattr(zone, fault).add(name)
    assert check(resolver, Limits(deadline=0.5)).spf == "temperror"


def test_one_deadline_holds_for_all_lookups(zone: Zone) -> None:
    resolver = DnsResolver(["127.0.0.1"], zone.port, timeout=30, lifetime=30)
    zone.txt("mail.sender.example", "v=spf1 a:slow.example a:never.example -all")
    zone.waiting["slow.example"] = threading.Event()
    assert check(resolver, Limits(deadline=0.3)).spf == "temperror"
    assert "never.example" not in zone.names()


def test_a_deadline_of_nothing_asks_nothing() -> None:
    assert check(NoDns(), Limits(deadline=0.0)).spf == "temperror"


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 a:%{l999999999999}.example -all",
        "v=spf1 a:%{d" + "9" * 5 + "r}.example",
        "v=spf1 exists:" + "%{l}" * 200 + ".example -all",
        "v=spf1 a:" + "x" * 300 + ".example -all",
        "v=spf1 a:" + "1." * 200 + "2 -all",
        "v=spf1 " + "a" * 3900,
        "v=spf1 ip4:1.2.3.4/999 -all",
        "v=spf1 ip6:::::/1",
        "v=spf1 = = =",
        "v=spf1 redirect= exp=",
        "v=spf1 %{",
        "v=spf1 a:\\000.example",
    ],
)
def test_poisoned_records_are_no_exception(resolver: Resolver, zone: Zone, record: str) -> None:
    zone.truncated.add("mail.sender.example")
    zone.txt("mail.sender.example", record)
    result = check(resolver, reverse_path="x" * 300 + "@mail.sender.example")
    assert result.spf in ("permerror", "fail", "neutral", "none")


def test_bytes_that_are_no_text_are_a_permerror() -> None:
    class Poisoned(NoDns):
        def txt(self, name: str, seconds: float) -> tuple[bytes, ...]:
            return (b"\xff" * 5000, b"v=spf1 \xff -all")

    assert check(Poisoned()).spf == "permerror"


def test_threads_do_not_mix_their_mails(zone: Zone) -> None:
    """pyspf's hook is global: each thread must find its own resolver behind it."""

    class One:
        def __init__(self, number: int) -> None:
            self.number = number

        def txt(self, name: str, seconds: float) -> tuple[bytes, ...]:
            return (f"v=spf1 a:h{self.number}.example -all".encode(),)

        def a(self, name: str, seconds: float) -> tuple[str, ...]:
            assert name == f"h{self.number}.example"
            return (f"203.0.113.{self.number}",)

    def one(number: int) -> str:
        resolver: Any = One(number)
        return check(resolver, client=f"203.0.113.{number}").spf

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(1, 200))) == {"pass"}
