"""parse() takes any bytes: it raises nothing, and what it gives can be stored. Long runs: fuzz_parse.py."""

import dataclasses
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.parse import parse
from handlers.parse.addresses import MOST
from handlers.parse.dsn import RECIPIENTS
from handlers.report import Report

GOLDEN = sorted((Path(__file__).parents[1] / "corpus").glob("*/*.eml"))
KINDS = b"""text/plain text/html message/delivery-status message/rfc822 message/feedback-report multipart/mixed
multipart/report text/rfc822-headers message/disposition-notification text/calendar""".split()
LINES = [
    b"From: MAILER-DAEMON@mx.example",
    b"Subject: =?utf-8?b?6YWN?= failure notice",
    b"Final-Recipient: rfc822; jo@dest.example",
    b"Action: failed",
    b"Status: 5.1.1 (x)",
    b"Diagnostic-Code: smtp; 550-5.1.1 no",
    b"  folded \\345 550 5.1.1",
    b"<jo@dest.example>: could not be delivered",
    b">>> RCPT To:<jo@dest.example>",
    b"<<< 550 5.1.1 no",
    b"Transcript of session follows",
    b"I am on vacation until 31.2.2026",
    b"--b",
    b"--b--",
    b"",
    b"",
]


def check(report: Report) -> None:
    """What every Report must be: text that a database takes, within its bounds."""
    text = json.dumps(dataclasses.asdict(report), default=dict, ensure_ascii=False)
    text.encode()  # no half pair of surrogates
    assert "\\u0000" not in text
    assert len(report.text) <= 16 * 1024
    assert len(report.addresses_in_text) <= MOST
    assert len(report.recipients) <= RECIPIENTS
    for one in report.recipients:
        assert one.final_recipient
        assert one.smtp_code is None or 200 <= one.smtp_code <= 599


@given(st.binary(max_size=2000))
@settings(max_examples=150, deadline=None)
def test_any_bytes(raw: bytes) -> None:
    check(parse(raw))


@given(
    st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=40)), max_size=40),
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
    st.sampled_from([b"utf-8", b"utf-7", b"utf-16", b"iso-2022-jp", b"zip", b"idna", b"hz", b"x" * 300]),
    st.sampled_from([b"7bit", b"base64", b"quoted-printable", b"x-uue"]),
    st.sampled_from([None, "", "a@b.example"]),
)
@settings(max_examples=200, deadline=None)
def test_lines_of_mail_in_any_order(
    lines: list[bytes], kinds: list[bytes], charset: bytes, encoding: bytes, path: str | None
) -> None:
    parts = [
        b"--b\r\nContent-Type: %s; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n" % (kind, charset, encoding)
        + b"\r\n".join(lines[index :: len(kinds)])
        for index, kind in enumerate(kinds)
    ]
    head = b"From: MAILER-DAEMON@mx.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
    check(parse(head + b"\r\n".join(parts) + b"\r\n--b--\r\n", path))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_broken_golden_mails(path: Path) -> None:
    raw = path.read_bytes()[:20_000]
    chance = random.Random(path.name)
    for _ in range(8):
        data = bytearray(raw)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data) + 1)
            cut = data[at : at + chance.randint(0, 60)]
            move = chance.choice(
                [b"", bytes(cut) * 3, b"\r\n", b"\x00", b"\xff\xfe", b"--", b"=?", b":", b"<", b"\r\n\r\n"]
            )
            data[at : at + len(cut)] = move
        check(parse(bytes(data[: chance.randint(0, len(data))]), chance.choice([None, ""])))


HOSTILE = [b"@", b"a@", b"<", b"(", b" ", b"\t", b"5.", b"550 ", b"-", b"\r", b"\xff", b"\x82\xa0", b"1.1.", b"\\345"]
HOSTILE += [
    b"From: a\n",
    b"Received: x\n\n",
    b"could not ",
    b"=?utf-8?q?a?= ",
    b"<div>",
    b"(generated from a",
    b'"a b"@',
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", HOSTILE, ids=repr)
def test_a_megabyte_of_one_thing_is_read_in_linear_time(unit: bytes) -> None:
    """Anything quadratic takes minutes here; the limit only stops that."""
    text = unit * (1_000_000 // len(unit))
    head = b"From: MAILER-DAEMON@mx.example\r\nSubject: failure notice\r\n"
    report = b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    check(parse(head + b"\r\n" + text))
    check(parse(head + b"Content-Type: text/html\r\n\r\n" + text))
    check(parse(head + b"X-Y: " + text.replace(b"\n", b" ") + b"\r\n\r\nx"))
    check(
        parse(
            head + report + b"Final-Recipient: rfc822;a@b.example\r\nDiagnostic-Code: smtp; " + text + b"\r\n--b--\r\n"
        )
    )
