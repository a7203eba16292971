"""The example zone: it parses, and says what docs/deploy.md promises."""

from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import pytest
import spf

FILE = Path(__file__).parents[2] / "deploy" / "dns" / "return-path.zone"
ORIGIN = dns.name.from_text("bounces.example.com.")
ZONE = dns.zone.from_file(str(FILE), relativize=False)


def texts(name: str) -> list[str]:
    found = ZONE.find_rdataset(dns.name.from_text(name, ORIGIN), dns.rdatatype.TXT)
    return [b"".join(record.strings).decode() for record in found]


def test_it_is_the_zone_of_the_return_paths() -> None:
    assert ZONE.origin == ORIGIN
    assert ZONE.get_rdataset(ORIGIN, dns.rdatatype.SOA)
    assert len(ZONE.find_rdataset(ORIGIN, dns.rdatatype.NS)) == 2


def test_the_mx_has_addresses_of_its_own() -> None:
    """RFC 5321 5.1, RFC 2181 10.3: no CNAME."""
    (mx,) = ZONE.find_rdataset(ORIGIN, dns.rdatatype.MX)
    assert mx.exchange.is_subdomain(ORIGIN)
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        assert ZONE.get_rdataset(mx.exchange, kind)
    assert not ZONE.get_rdataset(mx.exchange, dns.rdatatype.CNAME)


@pytest.mark.parametrize(
    ("client", "result"),
    [
        ("192.0.2.10", "pass"),
        ("2001:db8::10", "pass"),
        ("192.0.2.25", "fail"),  # bouncemx itself sends nothing
        ("198.51.100.7", "fail"),
    ],
)
def test_spf_passes_for_the_senders_alone(client: str, result: str) -> None:
    (record,) = [text for text in texts("@") if text.startswith("v=spf1")]
    query = spf.query(i=client, s="token@bounces.example.com", h="mail.example.com", strict=2)
    assert query.check(spf=record)[0] == result


def test_the_mx_says_that_it_sends_nothing() -> None:
    assert texts("mx1") == ["v=spf1 -all"]


def test_dmarc_refuses_who_writes_from_it() -> None:
    (record,) = texts("_dmarc")
    tags = dict(tag.strip().split("=") for tag in record.split(";"))
    assert (tags["v"], tags["p"]) == ("DMARC1", "reject")
