"""DKIM, ARC and DMARC of a capture, with signatures made here and keys in a real DNS server."""

import base64
from datetime import UTC, datetime
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from handlers.authenticate import Authentication, Limits, Signature, authenticate
from handlers.envelope import Envelope, Mail
from server.resolver import DnsResolver
from tests.dns_fixture import Zone

NOTICE = (
    b"From: Mail Delivery System <MAILER-DAEMON@mail.sender.example>\r\n"
    b"To: b@bounce.test\r\n"
    b"Subject: Undelivered\r\n"
    b"\r\n"
    b"There is  no such user.  \r\n"
    b"\r\n"
)
RECEIVED = b"Received: from mail.sender.example (192.0.2.10) by mx.bounce.test; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
FIELDS = [b"from", b"to", b"subject"]
MEBIBYTE = 1024 * 1024


def rsa_key(bits: int) -> tuple[bytes, str]:
    key = rsa.generate_private_key(65537, bits)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()


RSA_2048, RSA_1024 = rsa_key(2048), rsa_key(1024)
_edward = ed25519.Ed25519PrivateKey.generate()
ED25519 = (
    base64.b64encode(_edward.private_bytes_raw()),
    "v=DKIM1; k=ed25519; p=" + base64.b64encode(_edward.public_key().public_bytes_raw()).decode(),
)


@pytest.fixture
def resolver(zone: Zone) -> DnsResolver:
    zone.txt("s1._domainkey.sender.example", RSA_2048[1])
    zone.txt("weak._domainkey.sender.example", RSA_1024[1])
    zone.txt("ed._domainkey.sender.example", ED25519[1])
    zone.txt("_dmarc.sender.example", "v=DMARC1; p=reject")
    return DnsResolver(["127.0.0.1"], zone.port, timeout=10, lifetime=10)


def signed(
    mail: bytes = NOTICE, *, selector: bytes = b"s1", domain: bytes = b"sender.example", **options: Any
) -> bytes:
    options = {"include_headers": FIELDS, "privkey": RSA_2048[0], **options}
    return bytes(dkim.sign(mail, selector, domain, **options)) + mail


def check(resolver: Any, raw: bytes, limits: Limits | None = None, client: str = "127.0.0.1") -> Authentication:
    envelope = Envelope("", ("b@bounce.test",), "mail.sender.example", client, datetime(2026, 1, 1, tzinfo=UTC))
    return authenticate(Mail(0, envelope, RECEIVED + raw), resolver, "mx.bounce.test", limits)


def result(resolver: Any, raw: bytes, limits: Limits | None = None) -> str:
    return check(resolver, raw, limits).results["dkim"]


# signatures


def test_unsigned_mail_is_none(resolver: DnsResolver, zone: Zone) -> None:
    assert check(resolver, NOTICE).results == {"spf": "none", "dkim": "none", "arc": "none", "dmarc": "none"}
    assert zone.queries == []


@pytest.mark.parametrize("header", [b"relaxed", b"simple"])
@pytest.mark.parametrize("body", [b"relaxed", b"simple"])
@pytest.mark.parametrize("algorithm", [b"rsa-sha256", b"ed25519-sha256"])
def test_a_good_signature_passes(resolver: DnsResolver, header: bytes, body: bytes, algorithm: bytes) -> None:
    key = {"selector": b"ed", "privkey": ED25519[0]} if algorithm.startswith(b"ed") else {}
    raw = signed(canonicalize=(header, body), signature_algorithm=algorithm, **key)
    answer = check(resolver, raw)
    selector = "ed" if key else "s1"
    assert answer.dkim == (Signature("sender.example", selector, "pass"),)
    assert answer.dmarc == "pass"
    assert f"dkim=pass header.d=sender.example header.s={selector};".encode() in answer.header


@pytest.mark.parametrize(
    "key", [{}, {"selector": b"ed", "privkey": ED25519[0], "signature_algorithm": b"ed25519-sha256"}]
)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"no such user", b"no such USER"),
        (b"Subject: Un", b"Subject: un"),
        (b"\r\nTo: ", b"\r\nFrom: x@y.test\r\nTo: "),
    ],
)
def test_a_changed_mail_fails(resolver: DnsResolver, key: dict[str, Any], old: bytes, new: bytes) -> None:
    raw = signed(**key)
    assert old in raw
    assert result(resolver, raw.replace(old, new)) == "fail"


def test_bare_line_feeds_are_read_as_line_ends(resolver: DnsResolver) -> None:
    assert result(resolver, signed().replace(b"\r\n", b"\n")) == "pass"


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"x", b" \r\n\t\r\n", b"a \t b\t\r\n c  ", b"\tx\r\n \r\n\r\n", b"x\r\r\n"]
)
def test_relaxed_bodies_agree_with_the_signer(resolver: DnsResolver, body: bytes) -> None:
    original = dkim.canonicalization.Relaxed.canonicalize_body(body)
    assert dkim.canonicalization.ALGORITHMS[b"relaxed"].canonicalize_body(body) == original


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (None, "permerror"),
        ("v=DKIM1; p=", "permerror"),  # revoked
        ("v=DKIM1; k=rsa; p=AAAA", "permerror"),
        ("v=DKIM1; k=rsa; p=!", "permerror"),
        ("v=DKIM1; k=ed25519; p=AAAA", "permerror"),
        ("v=DKIM2; p=" + RSA_2048[1].partition("p=")[2], "permerror"),
        ("junk", "permerror"),
        (RSA_1024[1], "fail"),  # another key
        (RSA_2048[1] + "; n=" + "x" * 2000, "permerror"),  # numbers that long cost minutes
        (ED25519[1], "permerror"),
    ],
    ids=["none", "revoked", "short", "not-base64", "ed25519-short", "version", "junk", "another", "long", "ed25519"],
)
def test_bad_key_records(resolver: DnsResolver, zone: Zone, record: str | None, word: str) -> None:
    if record:
        zone.txt("other._domainkey.sender.example", record)
        zone.truncated.add("other._domainkey.sender.example")
    assert result(resolver, signed(selector=b"other")) == word


def test_a_weak_key_is_no_pass(resolver: DnsResolver) -> None:
    raw = signed(selector=b"weak", privkey=RSA_1024[0])
    assert result(resolver, raw) == "pass"
    assert Limits().key_bits == 1024
    assert result(resolver, raw, Limits(key_bits=1025)) == "permerror"


@pytest.mark.parametrize("fault", ["servfail", "silent"])
def test_dns_failures_are_temperrors(resolver: DnsResolver, zone: Zone, fault: str) -> None:
    getattr(zone, fault).add("s1._domainkey.sender.example")
    answer = check(resolver, signed(), Limits(deadline=0.5))
    assert (answer.results["dkim"], answer.dmarc) == ("temperror", "temperror")


def test_what_the_deadline_leaves_open_is_a_temperror(resolver: DnsResolver, zone: Zone) -> None:
    answer = check(resolver, signed(), Limits(deadline=0.0), client="192.0.2.10")
    assert answer.results == {"spf": "temperror", "dkim": "temperror", "arc": "none", "dmarc": "temperror"}
    assert zone.queries == []


@pytest.mark.parametrize("options", [{"length": True}, {"signature_algorithm": b"rsa-sha1"}])
def test_signatures_that_prove_too_little(resolver: DnsResolver, options: dict[str, Any]) -> None:
    answer = check(resolver, signed(**options))
    assert [s.result for s in answer.dkim] == ["policy"]
    assert answer.dmarc == "fail"


def test_from_must_be_signed(resolver: DnsResolver) -> None:
    signer = dkim.DKIM(NOTICE)
    signer.hasher = dkim.HASH_ALGORITHMS[b"rsa-sha256"]
    policy = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    hashed = base64.b64encode(signer.hasher(policy.canonicalize_body(signer.body)).digest())
    tags = {b"v": b"1", b"a": b"rsa-sha256", b"c": b"relaxed/relaxed", b"d": b"sender.example", b"s": b"s1"}
    tags |= {b"h": b"to", b"bh": hashed, b"b": b"0" * 60}
    key = dkim.parse_pem_private_key(RSA_2048[0])
    value = signer.gen_header(list(tags.items()), [b"to"], policy, b"DKIM-Signature", key)
    raw = b"DKIM-Signature: " + value + NOTICE
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: RSA_2048[1].encode())  # dkimpy is content with it
    assert result(resolver, raw) == "permerror"


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"v=1", b"v=1; v=1", b"=", b"\xff", b"v=1; a=rsa-sha256; b=x; bh=y; d=\xff; h=from; s=s"),
        *(b"v=1; a=x; b=AAAA; bh=AAAA; d=x.example; h=from; s=s", b"a" * 9000, b"v=1;" + b" " * 70 + b"x"),
    ],
)
def test_signatures_that_cannot_be_read_are_neutral(resolver: DnsResolver, zone: Zone, value: bytes) -> None:
    assert result(resolver, b"DKIM-Signature: " + value + b"\r\n" + NOTICE) == "neutral"
    assert not any("_domainkey" in name for name in zone.names())


def test_a_long_gap_in_a_signature_is_neutral(resolver: DnsResolver) -> None:
    assert result(resolver, signed().replace(b" b=", b" b=" + b" " * 50)) == "pass"
    assert result(resolver, signed().replace(b" b=", b" b=" + b" " * 64)) == "neutral"


@pytest.mark.parametrize(
    "raw",
    [
        *(b"DKIM-Signature: v=1\r\nno field\r\n\r\n", b"DKIM-Signature: v=1", b"DKIM-Signature: v=1\r\n\r\n\r\n"),
        *(signed().replace(b"To:", b"X: " + b"x" * 110_000 + b"\r\nTo:"), b"A: b\r\n" * 1000 + signed()),
    ],
)
def test_heads_that_cannot_be_read_are_neutral(resolver: DnsResolver, raw: bytes) -> None:
    assert result(resolver, raw) == "neutral"


# costs


def test_a_hundred_signatures_cost_ten_lookups(resolver: DnsResolver, zone: Zone) -> None:
    raw = NOTICE
    one = signed()[: -len(NOTICE)]
    for i in range(100):
        raw = one.replace(b"s=s1", f"s=x{i}".encode()) + raw
    answer = check(resolver, raw)
    assert len(answer.dkim) == 10
    assert sum("_domainkey" in name for name in zone.names()) == 10
    assert len(zone.queries) <= 10 + 6


def test_the_same_key_is_asked_for_once(resolver: DnsResolver, zone: Zone) -> None:
    for record in zone.records:
        record.ttl = 0  # the resolver keeps nothing of it
    raw = signed()
    raw = raw[: -len(NOTICE)] * 5 + NOTICE
    assert [s.result for s in check(resolver, raw).dkim] == ["pass"] * 5
    assert zone.names().count("s1._domainkey.sender.example") == 1


def test_a_long_body_is_not_read(resolver: DnsResolver, zone: Zone) -> None:
    raw = signed()
    assert result(resolver, raw, Limits(body_octets=10)) == "neutral"
    assert not any("_domainkey" in name for name in zone.names())


@pytest.mark.parametrize("filling", [b" ", b"\t", b" \t", b"\r\n", b" \r\n", b"\r", b"x "])
def test_hostile_bodies_take_linear_time(resolver: DnsResolver, filling: bytes) -> None:
    """dkimpy's own canonicalization would need half an hour for the first; the test's timeout tells."""
    raw = signed(NOTICE + filling * (2 * MEBIBYTE // len(filling)) + b"x\r\n", canonicalize=(b"relaxed", b"simple"))
    assert result(resolver, raw.replace(b"c=relaxed/simple", b"c=relaxed/relaxed")) == "fail"


@pytest.mark.parametrize(
    "piece", [b"; b\r\n \r\n \r\n ", b"a:", b":\t\t", b"=;", b"\r\n " * 20 + b"x", b"a" + b" " * 60, b"b=a a a;"]
)
def test_hostile_signatures_take_linear_time(resolver: DnsResolver, piece: bytes) -> None:
    head, tail = b"DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=s1; bh=AAAA; b=AAAA; ", b"h=from:"
    long = piece * (7000 // len(piece))
    raw = (
        (head + b"x=" + long + tail + b"\r\n")
        + (head + tail + long + b"\r\n")
        + (head + tail + b"; b=" + long + b"!\r\n")
    )
    check(resolver, raw * 4 + b"Y:\r\n x\r\n" * 500 + NOTICE)


# several signatures, DMARC


def test_one_good_signature_among_bad_ones(resolver: DnsResolver) -> None:
    good = signed()
    bad = good[: -len(NOTICE)].replace(b"s=s1", b"s=nokey")
    answer = check(resolver, bad + good)
    assert [s.result for s in answer.dkim] == ["permerror", "pass"]
    assert (answer.results["dkim"], answer.dmarc) == ("pass", "pass")


def test_a_foreign_signature_is_not_aligned(resolver: DnsResolver, zone: Zone) -> None:
    zone.txt("s1._domainkey.attacker.example", RSA_2048[1])
    answer = check(resolver, signed(domain=b"attacker.example"))
    assert (answer.results["dkim"], answer.dmarc, answer.policy) == ("pass", "fail", "reject")
    assert b"dmarc=fail header.from=mail.sender.example policy.dmarc=reject" in answer.header


def test_spf_alone_can_align(resolver: DnsResolver, zone: Zone) -> None:
    zone.txt("mail.sender.example", "v=spf1 ip4:192.0.2.10 -all")
    assert check(resolver, NOTICE, client="192.0.2.10").dmarc == "pass"
    assert check(resolver, NOTICE, client="192.0.2.11").dmarc == "fail"


@pytest.mark.parametrize(
    ("field", "word"),
    [
        (b"From: MAILER-DAEMON", "none"),
        (b"X: y", "none"),
        (b"From: a@sender.example\r\nFrom: b@other.example", "permerror"),
        (b"From: a@sender.example,\r\n b@other.example", "permerror"),
        (b"FROM\t:\r\n <a@sender.example>", "fail"),
    ],
)
def test_the_author(resolver: DnsResolver, field: bytes, word: str) -> None:
    assert check(resolver, field + b"\r\n\r\nx", client="192.0.2.10").dmarc == word


def test_dns_failures_in_dmarc_are_temperrors(resolver: DnsResolver, zone: Zone) -> None:
    zone.servfail.add("_dmarc.mail.sender.example")
    assert check(resolver, NOTICE, client="192.0.2.10").dmarc == "temperror"


# ARC


def sealed(mail: bytes, times: int = 1) -> bytes:
    for number in range(times):
        seen = b"Authentication-Results: mx.sender.example; arc=" + (b"pass" if number else b"none") + b"\r\n"
        lines = dkim.arc_sign(
            seen + mail, b"s1", b"sender.example", RSA_2048[0], b"mx.sender.example", include_headers=FIELDS
        )
        mail = b"".join(lines) + mail
    return mail


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_good_chain_passes(resolver: DnsResolver, zone: Zone, times: int) -> None:
    answer = check(resolver, sealed(NOTICE, times))
    assert answer.arc == "pass"
    assert b"\tarc=pass" in answer.header
    assert zone.names().count("s1._domainkey.sender.example") == 1


def test_a_broken_chain_fails(resolver: DnsResolver, zone: Zone) -> None:
    raw = sealed(NOTICE, 2)
    assert check(resolver, raw.replace(b"no such", b"any such")).arc == "fail"
    assert check(resolver, raw.replace(b"ARC-Message-Signature: i=1", b"X: i=1")).arc == "fail"
    assert check(resolver, raw.replace(b"cv=pass", b"cv=fail")).arc == "fail"
    assert check(resolver, b"ARC-Seal: i=" + b"9" * 5000 + b"\r\n" + NOTICE).arc == "fail"
    assert check(resolver, b"ARC-Seal: junk\r\n" + NOTICE).arc in ("fail", "none")


def test_a_long_chain_is_not_followed(resolver: DnsResolver, zone: Zone) -> None:
    assert check(resolver, sealed(NOTICE, 6)).arc == "fail"
    assert zone.queries == []


def test_a_chain_without_dns_is_a_temperror(resolver: DnsResolver, zone: Zone) -> None:
    zone.servfail.add("s1._domainkey.sender.example")
    assert check(resolver, sealed(NOTICE)).arc == "temperror"
