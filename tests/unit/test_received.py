"""Our trace line: one field, whatever the client calls itself."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

from hypothesis import given
from hypothesis import strategies as st

from handlers.envelope import Envelope
from handlers.received import received_line

NOW = datetime(2026, 11, 21, 12, 30, 15, tzinfo=UTC)
ENVELOPE = Envelope("", ("token@bounces.test",), "mail.example", "192.0.2.1", NOW)
HOST = "mx.bounces.test"


def test_the_usual_line() -> None:
    assert received_line(ENVELOPE, HOST) == (
        b"Received: from mail.example ([192.0.2.1])\r\n"
        b"\tby mx.bounces.test (bouncemx) with ESMTP\r\n"
        b"\tfor <token@bounces.test>;\r\n"
        b"\tSat, 21 Nov 2026 12:30:15 +0000\r\n"
    )


def test_tls_ipv6_and_several_recipients() -> None:
    envelope = replace(
        ENVELOPE,
        client="2001:db8::1",
        protocol="ESMTPS",
        tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
        forward_paths=("a@b", "c@d"),
    )
    assert received_line(envelope, HOST) == (
        b"Received: from mail.example ([IPv6:2001:db8::1])\r\n"
        b"\tby mx.bounces.test (bouncemx) with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384);\r\n"
        b"\tSat, 21 Nov 2026 12:30:15 +0000\r\n"
    )


def test_a_client_without_a_name() -> None:
    assert received_line(replace(ENVELOPE, helo=""), HOST).startswith(b"Received: from unknown ([192.0.2.1])\r\n")


@given(st.text(max_size=400), st.lists(st.text(max_size=400), max_size=2))
def test_no_client_breaks_out_of_the_field(helo: str, forward_paths: list[str]) -> None:
    line = received_line(replace(ENVELOPE, helo=helo, forward_paths=tuple(forward_paths)), HOST)
    assert re.fullmatch(rb"[!-~ \t]+", line.replace(b"\r\n", b""))
    assert all(len(each) <= 998 for each in line.split(b"\r\n"))  # RFC 5322 2.1.1
    message = BytesParser().parsebytes(line + b"\r\n")
    assert message.keys() == ["Received"]
    value = message["Received"]
    assert value.count(";") == 1  # RFC 5321 4.4: the date stands behind it
    assert parsedate_to_datetime(value.rpartition(";")[2]) == NOW
    assert value.count("(") == value.count(")") == 2
    assert "([192.0.2.1])\r\n\tby mx.bounces.test" in value
