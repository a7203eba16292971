"""Mails of a megabyte that are all of one hostile thing: each gets its report, and what is kept has a bound."""

import pytest

from handlers.classify import Classifier
from handlers.parse import TEXT_KEPT, parse
from handlers.parse.dsn import DIAGNOSTIC, RECIPIENTS
from handlers.ruleset import load
from handlers.words import Kind

MEGABYTE = 1024 * 1024
CLASSIFIER = Classifier(load())
HEAD = "From: MAILER-DAEMON@mx.dest.example\r\nTo: b+1@rp.sender.example\r\nSubject: failure notice\r\n"
STATUS = (
    "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    "Reporting-MTA: dns; mx.dest.example\r\n\r\n"
)


def group(number: int, diagnostic: str) -> str:
    name = f"Final-Recipient: rfc822; u{number}@dest.example"
    return f"{name}\r\nAction: failed\r\nDiagnostic-Code: smtp; {number} {diagnostic}\r\n\r\n"


def groups(diagnostic: str) -> str:
    size = MEGABYTE // len(group(1000, diagnostic))
    return STATUS + "".join(group(number, diagnostic) for number in range(size))


def nested(number: int) -> str:
    return f"Content-Type: multipart/mixed; boundary=b{number}\r\n\r\n--b{number}\r\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param(groups("no"), RECIPIENTS, id="recipients"),
        pytest.param(groups("host a said: " * 40), 1710, id="wrapped replies"),
        pytest.param(groups("Remote server returned " * 20 + "->"), 1889, id="wrappers without an end"),
        pytest.param(groups("user unknown " + ">>> data " * 40), RECIPIENTS, id="steps of the dialogue"),
        pytest.param(groups("mailbox not a domain user " * 160), 246, id="long replies of words that rules have"),
        pytest.param(STATUS + group(1, "550" + "\r\n x" * 250_000), 1, id="one reply of many folds"),
        pytest.param(
            "\r\n" + "".join(f"<u{n}@dest.example>:\r\n550 no\r\n\r\n" for n in range(30_000)),
            400,
            id="addresses in a text",
        ),
        pytest.param("\r\n" + "(generated from: " * 60_000, 0, id="a phrase again and again"),
        pytest.param("".join(map(nested, range(20_000))), 0, id="parts in parts"),
        pytest.param("Content-Type: text/html\r\n\r\n" + "<div><table><td>" * 65_000, 0, id="tags"),
        pytest.param("X-A: b\r\n" + " c\r\n" * 250_000, 0, id="one field of many folds"),
        pytest.param("".join(f"X-H{n}: v\r\n" for n in range(90_000)) + "\r\nhi", 0, id="fields"),
    ],
)
def test_a_megabyte(text: str, named: int) -> None:
    report = parse((HEAD + text).encode()[:MEGABYTE], "")
    assert report.kind in {Kind.FAILURE, Kind.OTHER, Kind.AUTO_REPLY}
    assert len(report.recipients) == named
    assert len(report.text) <= TEXT_KEPT
    assert all(len(one.diagnostic_code or "") <= DIAGNOSTIC for one in report.recipients)
    assert len(CLASSIFIER.classify(report)) == len(report.recipients)
