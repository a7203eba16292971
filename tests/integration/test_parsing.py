"""The parser's process: its bounds hold, and what one mail does to it is no other mail's harm."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handlers.parse import parse
from handlers.ports import ParserDied
from server import parsing
from server.parsing import READ_OCTETS, BoundedParser, ParserFailed, ParserMissing
from tests.integration.odd_parsers import ends_at_once, obedient

GIGABYTE = 1 << 30
MAIL = b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered mail\r\n\r\n<ann@x.example>: 550 5.1.1 no such user\r\n"


@pytest.fixture(scope="module")
def parser() -> Iterator[BoundedParser]:
    made = BoundedParser(10, GIGABYTE, obedient)
    yield made
    made.close()


def process_of(parser: BoundedParser) -> int:
    process = parser._process
    assert process is not None
    assert process.pid is not None
    return process.pid


def test_it_says_what_parsing_here_says() -> None:
    parser = BoundedParser(10, GIGABYTE)
    parser.warm()
    try:
        assert parser.parse(MAIL, "") == parse(MAIL, "")
        assert parser.parse(MAIL, "eve@x.example") == parse(MAIL, "eve@x.example")
    finally:
        parser.close()


def test_one_process_reads_mail_after_mail(parser: BoundedParser) -> None:
    parser.parse(MAIL, "")
    first = process_of(parser)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda i: parser.parse(b"Subject: %d\r\n\r\n" % i, ""), range(50)))
    assert [each.subject for each in found] == [str(i) for i in range(50)]
    assert process_of(parser) == first


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (b"die", "reading it brought the parser down"),
        (b"eat", "reading it took more memory than allowed"),
        (b"nest", "it is nested too deeply to be read"),
    ],
)
def test_a_mail_that_brings_it_down(parser: BoundedParser, order: bytes, told: str) -> None:
    with pytest.raises(ParserDied, match=told):
        parser.parse(b"X-Test: " + order + b"\r\n\r\n", "")
    assert parser.parse(MAIL, "") == parse(MAIL, "")


def test_a_mail_that_takes_too_long() -> None:
    parser = BoundedParser(0.2, GIGABYTE, obedient)
    try:
        with pytest.raises(ParserDied, match=r"reading it took longer than 0\.2 seconds"):
            parser.parse(b"X-Test: loop\r\n\r\n", "")
        assert parser.parse(b"Subject: next\r\n\r\n", "").subject == "next"
    finally:
        parser.close()


def test_a_process_that_is_killed_between_two_mails(parser: BoundedParser) -> None:
    """The kernel ends one when memory is short: that must not be held against the next mail."""
    parser.parse(MAIL, "")
    os.kill(process_of(parser), signal.SIGKILL)
    assert parser.parse(MAIL, "") == parse(MAIL, "")


def test_a_process_that_is_killed_once_within_a_mail(parser: BoundedParser, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert parser.parse(b"X-Test: die once %b\r\nSubject: x\r\n\r\n" % os.fsencode(mark), "").subject == "x"
    assert mark.exists()


def test_a_fault_of_ours_is_no_death_of_the_mail(parser: BoundedParser) -> None:
    parser.parse(MAIL, "")
    before = process_of(parser)
    with pytest.raises(ParserFailed, match="ValueError: a fault of ours"):
        parser.parse(b"X-Test: fail\r\n\r\n", "")
    assert process_of(parser) == before


def test_a_mail_of_any_size_is_read_up_to_a_bound(parser: BoundedParser) -> None:
    big = b"Subject: big\r\n\r\n" + b"x" * (3 * READ_OCTETS)
    assert parser.parse(big, "") == parse(big[:READ_OCTETS], "")


def test_a_parser_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of the mail then."""
    parser = BoundedParser(10, GIGABYTE)
    monkeypatch.setattr(parsing, "_serve", ends_at_once)
    with pytest.raises(ParserMissing, match="the parser does not start: its exit code is 7"):
        parser.parse(MAIL, "")
    monkeypatch.undo()
    assert parser.parse(b"Subject: later\r\n\r\n", "").subject == "later"
    parser.close()


def test_forked_or_spawned_it_reads_the_same() -> None:
    """warm() forks while there are no threads; whatever comes later is spawned."""
    for begin in (BoundedParser.warm, lambda parser: None):
        parser = BoundedParser(10, GIGABYTE)
        begin(parser)
        assert parser.parse(b"Subject: later\r\n\r\n", "").subject == "later"
        parser.close()


def test_a_machine_that_has_no_process_left(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = BoundedParser(10, GIGABYTE)

    def start(self: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    for method in ("fork", "spawn"):
        monkeypatch.setattr(multiprocessing.get_context(method).Process, "start", start)
    for attempt in (parser.warm, lambda: parser.parse(MAIL, "")):
        with pytest.raises(ParserMissing, match="Resource temporarily unavailable"):
            attempt()
    monkeypatch.undo()
    assert parser.parse(b"Subject: later\r\n\r\n", "").subject == "later"
    parser.close()


def test_closing_twice_and_before_the_start() -> None:
    parser = BoundedParser(10, GIGABYTE)
    parser.close()
    parser.warm()
    parser.close()
    parser.close()


def test_the_kernel_holds_the_bounds(parser: BoundedParser) -> None:
    parser.parse(MAIL, "")
    assert resource.prlimit(process_of(parser), resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(process_of(parser), resource.RLIMIT_AS) == (GIGABYTE, GIGABYTE)
