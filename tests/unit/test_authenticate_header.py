"""The Authentication-Results field: nothing a sender writes can forge it; theirs in our name are removed."""

import re
from datetime import UTC, datetime

import authres
import authres.arc
import authres.dmarc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.authenticate import Limits, authenticate, strip_forged
from handlers.envelope import Envelope, Mail
from handlers.ports import LookupFailed, NoSuchName

US = "mx.bounce.test"
WORDS = {"none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror"}
READER = authres.FeatureContext(authres.dmarc, authres.arc)


class Texts:
    """A resolver that says the same for every name."""

    def __init__(self, *texts: bytes, fault: type[Exception] | None = None) -> None:
        self.texts, self.fault = texts, fault

    def txt(self, name: str, seconds: float) -> tuple[bytes, ...]:
        if self.fault:
            raise self.fault(name)
        return self.texts

    def a(self, name: str, seconds: float) -> tuple[str, ...]:
        return ("192.0.2.10",)

    def aaaa(self, name: str, seconds: float) -> tuple[str, ...]:
        return ()

    def mx(self, name: str, seconds: float) -> tuple[tuple[int, str], ...]:
        return ((10, name),)

    def ptr(self, name: str, seconds: float) -> tuple[str, ...]:
        return ("host.example",)


def field(raw: bytes, *, reverse_path: str = "", helo: str = "mail.example", client: str = "192.0.2.10") -> bytes:
    envelope = Envelope(reverse_path, ("b@c.test",), helo, client, datetime(2026, 1, 1, tzinfo=UTC))
    return authenticate(Mail(0, envelope, raw), Texts(fault=NoSuchName), US).header


def read(header: bytes) -> authres.AuthenticationResultsHeader:
    return READER.parse(re.sub(r"\r\n\s", " ", header.decode("ascii")))


def is_one_field(header: bytes) -> bool:
    """Printable ASCII, folded, one line end at its end, no line over RFC 5322 2.1.1's 998."""
    lines = header.split(b"\r\n")
    return (
        lines[-1] == b""
        and lines[0].startswith(b"Authentication-Results: mx.bounce.test;")
        and all(line.startswith(b"\t") for line in lines[1:-1])
        and all(re.fullmatch(rb"\t?[\x20-\x7e]{1,997}", line) for line in lines[:-1])
    )


EVIL = [
    "a.test\r\nBcc: x@y.test",
    "a.test; dmarc=pass header.from=bank.test",
    'a.test" x="',
    "a.test (comment",
    "a.test\x00\x7f\x1b",
    "ü.test",
    "a.test\\",
    "\ud800.test",
    "a" * 5000 + ".test",
]


@pytest.mark.parametrize("evil", EVIL)
def test_values_cannot_break_out(evil: str) -> None:
    data = evil.encode("utf-8", "surrogatepass")
    unfolded = data.replace(b"\r\n", b"\n ")
    signature = b"DKIM-Signature: v=1; a=rsa-sha256; b=AAAA; bh=AAAA; h=from; d=%s; s=%s\r\n" % (unfolded, unfolded)
    raw = signature + b"From: <x@" + unfolded + b">\r\n\r\nbody"
    headers = [field(raw, helo=evil), field(raw, reverse_path=f"x@{evil}"), field(raw, reverse_path=evil)]
    for header in headers:
        assert is_one_field(header), header
        assert [result.method for result in read(header).results] == ["spf", "dkim", "arc", "dmarc"]


def test_a_signed_domain_is_cleaned_but_told() -> None:
    raw = b'DKIM-Signature: v=1; a=rsa-sha256; b=AAAA; bh=AAAA; h=from; d=a b.test; s=s"1\r\nFrom: a\r\n\r\n'
    assert b'dkim=permerror header.d="a?b.test" header.s="s?1"' in field(raw)


def test_what_is_stated() -> None:
    header = field(b"From: a@author.example\r\n\r\n", reverse_path="b@return.example")
    assert header == (
        b"Authentication-Results: mx.bounce.test;\r\n"
        b"\tspf=none smtp.mailfrom=return.example;\r\n"
        b"\tdkim=none;\r\n"
        b"\tarc=none;\r\n"
        b"\tdmarc=none header.from=author.example\r\n"
    )
    assert read(header).authserv_id == US


@given(
    raw=st.binary(max_size=400)
    | st.lists(
        st.sampled_from([b"From: ", b"DKIM-Signature: ", b"ARC-Seal: i=1; ", b"ARC-Message-Signature: i=1; "])
        | st.sampled_from([b"v=1; a=rsa-sha256; d=a.test; s=b; h=from; bh=AAAA; b=AAAA", b"\r\n", b" ", b"x@y.test"])
        | st.binary(max_size=20),
        max_size=20,
    ).map(b"".join),
    reverse_path=st.text(max_size=60) | st.just("") | st.just("a@b.test"),
    helo=st.text(max_size=60) | st.just("mail.example"),
    client=st.sampled_from(["192.0.2.10", "127.0.0.1", "2001:db8::1", ""]) | st.text(max_size=20),
    texts=st.lists(
        st.binary(max_size=60)
        | st.sampled_from([b"v=spf1 ", b"v=DKIM1; p=", b"v=DMARC1; p="]).flatmap(
            lambda start: st.binary(max_size=40).map(lambda rest: start + rest)
        ),
        max_size=2,
    ),
    fault=st.sampled_from([None, None, NoSuchName, LookupFailed]),
)
@example(raw=b"DKIM-Signature:\r\n", reverse_path="", helo="", client="", texts=[], fault=None)
def test_never_raises(
    raw: bytes, reverse_path: str, helo: str, client: str, texts: list[bytes], fault: type[Exception] | None
) -> None:
    envelope = Envelope(reverse_path, (), helo, client, datetime(2026, 1, 1, tzinfo=UTC))
    result = authenticate(Mail(0, envelope, raw), Texts(*texts, fault=fault), US, Limits())
    assert set(result.results) == {"spf", "dkim", "arc", "dmarc"}
    assert set(result.results.values()) <= WORDS
    assert is_one_field(result.header)
    assert len(read(result.header).results) == 3 + max(1, len(result.dkim))


# strip_forged


FORGED = [
    b"Authentication-Results: mx.bounce.test; spf=pass\r\n",
    b"AUTHENTICATION-RESULTS:MX.Bounce.Test;spf=pass\r\n",
    b"authentication-results : mx.bounce.test 1; none\r\n",
    b"Authentication-Results:\r\n\tmx.bounce.test;\r\n spf=pass;\r\n\tdkim=pass\r\n",
    b'Authentication-Results: "mx.bounce.test"; spf=pass\r\n',
    b'Authentication-Results: "mx.\\bounce.test"; spf=pass\r\n',
    b"Authentication-Results: (a; (nested) one) mx.bounce.test (b); spf=pass\r\n",
    b"Authentication-Results: (a \\\\) mx.bounce.test; spf=pass\r\n",
    b"Authentication-Results: (a \\) b) mx.bounce.test; spf=pass\r\n",
    b"Authentication-Results: " + b"(" * 50 + b")" * 50 + b"mx.bounce.test(x);spf=pass\r\n",
    b"Authentication-Results: mx.bounce.test.; spf=pass\r\n",
    b"Authentication-Results: mx.bounce.test\r\n",
    b"Authentication-Results: mx.bounce.test; spf=pass\n",
]
OTHERS = [
    b"Authentication-Results: mx.other.test; spf=pass (mx.bounce.test)\r\n",
    b"Authentication-Results: x.mx.bounce.test; spf=pass\r\n",
    b"Authentication-Results: mx.bounce.test.evil.test;\r\n\tspf=pass\r\n",
    b"Authentication-Results: (mx.bounce.test) other.test; spf=pass\r\n",
    b"Authentication-Results: ; mx.bounce.test\r\n",
    b"Authentication-Results:\r\n",
    b"ARC-Authentication-Results: i=1; mx.bounce.test; spf=pass\r\n",
    b"X-Authentication-Results: mx.bounce.test; spf=pass\r\n",
    b"Subject: folded\r\n Authentication-Results: mx.bounce.test; spf=pass\r\n",
]
BODY = b"\r\nAuthentication-Results: mx.bounce.test; this is the body\r\n"


@pytest.mark.parametrize("forged", FORGED)
def test_fields_in_our_name_go(forged: bytes) -> None:
    around = b"Received: x\r\n", b"Subject: y\r\n\tfolded\r\n" + BODY
    assert strip_forged(around[0] + forged + around[1], US) == around[0] + around[1]
    assert strip_forged(forged + forged + around[1], US.upper()) == around[1]


@pytest.mark.parametrize("other", OTHERS)
def test_the_fields_of_others_stay(other: bytes) -> None:
    raw = b"Received: x\r\n" + other + b"Subject: y\r\n" + BODY
    assert strip_forged(raw, US) == raw


def test_a_bare_carriage_return_hides_nothing() -> None:
    raw = b"Subject: y\r" + FORGED[0] + b"\r\rTo: z\r\n" + BODY
    assert strip_forged(raw, US) == b"Subject: y\r\r\rTo: z\r\n" + BODY


def test_mail_without_such_fields_is_the_same_object() -> None:
    raw = b"Received: x\r\nSubject: y\r\n" + BODY
    assert strip_forged(raw, US) is raw


def test_a_mail_of_nothing_but_a_field() -> None:
    assert strip_forged(FORGED[0], US) == b""
    assert strip_forged(b"", US) == b""
    assert strip_forged(b"\r\n" + FORGED[0], US) == b"\r\n" + FORGED[0]  # that is the body


def test_our_own_field_is_one_of_ours() -> None:
    raw = b"From: a@b.test\r\n\r\nbody"
    assert strip_forged(field(raw) + raw, US) == raw


@given(st.lists(st.sampled_from([*FORGED, *OTHERS, b"\r\n", b"To: x\r\n"]) | st.binary(max_size=10), max_size=12))
def test_stripping_twice_is_stripping_once(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    once = strip_forged(raw, US)
    assert len(once) <= len(raw)
    assert strip_forged(once, US) == once
