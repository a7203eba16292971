"""The reader's process: its bounds hold, and what one mail does to it is no other mail's harm."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handlers.envelope import Envelope, Mail
from handlers.ports import Said, Unreadable
from handlers.report import Report
from server import reading
from server.reading import READ_OCTETS, BoundedReader, ReaderFailed, ReaderMissing
from server.settings import UserError
from tests.integration.odd_readers import as_obedient, as_real, ends_at_once, real, refusing

GIGABYTE = 1 << 30
MAIL = b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered mail\r\n\r\n<ann@x.example>: 550 5.1.1 no such user\r\n"


@pytest.fixture(scope="module")
def reader() -> Iterator[BoundedReader]:
    made = BoundedReader(10, GIGABYTE, as_obedient)
    yield made
    made.close()


def mail(raw: bytes, reverse_path: str = "") -> Mail:
    return Mail(1, Envelope(reverse_path, ("x@rp.example",), "mx.example", "192.0.2.7", datetime.now(UTC)), raw)


def one(reader: BoundedReader, raw: bytes, reverse_path: str) -> Report:
    [said] = reader.read([mail(raw, reverse_path)])
    assert isinstance(said, Said)
    return said.report


def why(reader: BoundedReader, raw: bytes) -> str:
    [said] = reader.read([mail(raw)])
    assert isinstance(said, Unreadable)
    return said.why


def process_of(reader: BoundedReader) -> int:
    process = reader._process
    assert process is not None
    assert process.pid is not None
    return process.pid


def test_it_says_what_parsing_here_says() -> None:
    reader = BoundedReader(10, GIGABYTE, as_real)
    reader.warm()
    try:
        assert one(reader, MAIL, "") == real(MAIL, "").report
        assert one(reader, MAIL, "eve@x.example") == real(MAIL, "eve@x.example").report
    finally:
        reader.close()


def test_one_process_reads_mail_after_mail(reader: BoundedReader) -> None:
    one(reader, MAIL, "")
    first = process_of(reader)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda i: one(reader, b"Subject: %d\r\n\r\n" % i, ""), range(50)))
    assert [each.subject for each in found] == [str(i) for i in range(50)]
    assert process_of(reader) == first


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (b"die", "reading it brought the reader down"),
        (b"eat", "reading it took more memory than allowed"),
        (b"nest", "it is nested too deeply to be read"),
        (b"half", "reading it brought the reader down"),  # with a part of its answer in the pipe
    ],
)
def test_a_mail_that_brings_it_down(reader: BoundedReader, order: bytes, told: str) -> None:
    assert why(reader, b"X-Test: " + order + b"\r\n\r\n") == told
    assert one(reader, MAIL, "") == real(MAIL, "").report


def test_a_mail_that_takes_too_long() -> None:
    reader = BoundedReader(0.2, GIGABYTE, as_obedient)
    try:
        assert why(reader, b"X-Test: loop\r\n\r\n") == "reading it took longer than 0.2 seconds"
        assert one(reader, b"Subject: next\r\n\r\n", "").subject == "next"
    finally:
        reader.close()


def test_a_process_that_is_killed_between_two_mails(reader: BoundedReader) -> None:
    """The kernel ends one when memory is short: that must not be held against the next mail."""
    one(reader, MAIL, "")
    os.kill(process_of(reader), signal.SIGKILL)
    assert one(reader, MAIL, "") == real(MAIL, "").report


def test_a_process_that_is_killed_once_within_a_mail(reader: BoundedReader, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert one(reader, b"X-Test: die once %b\r\nSubject: x\r\n\r\n" % os.fsencode(mark), "").subject == "x"
    assert mark.exists()


def test_a_fault_of_ours_is_no_death_of_the_mail(reader: BoundedReader) -> None:
    one(reader, MAIL, "")
    before = process_of(reader)
    with pytest.raises(ReaderFailed, match="ValueError: a fault of ours"):
        one(reader, b"X-Test: fail\r\n\r\n", "")
    assert process_of(reader) == before


def test_a_mail_of_any_size_is_read_up_to_a_bound(reader: BoundedReader) -> None:
    big = b"Subject: big\r\n\r\n" + b"x" * (3 * READ_OCTETS)
    assert one(reader, big, "") == real(big[:READ_OCTETS], "").report


def test_a_reader_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of the mail then."""
    reader = BoundedReader(10, GIGABYTE, as_real)
    monkeypatch.setattr(reading, "_serve", ends_at_once)
    with pytest.raises(ReaderMissing, match="the reader does not start: its exit code is 7"):
        one(reader, MAIL, "")
    monkeypatch.undo()
    assert one(reader, b"Subject: later\r\n\r\n", "").subject == "later"
    reader.close()


def test_rules_that_are_wrong() -> None:
    """At the start somebody is there to mend them; later the mails wait."""
    reader = BoundedReader(10, GIGABYTE, refusing)
    reader.warm()
    with pytest.raises(UserError, match="unknown reason"):
        reader.await_ready()
    with pytest.raises(ReaderMissing, match="unknown reason"):
        one(reader, MAIL, "")
    reader.close()


def test_one_that_cannot_start_yet_may_later(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    reader = BoundedReader(10, GIGABYTE, as_real)
    monkeypatch.setattr(reading, "_serve", ends_at_once)
    reader.await_ready()
    assert "its exit code is 7; it is tried again with the first mail" in caplog.text
    monkeypatch.undo()
    reader.await_ready()
    assert one(reader, b"Subject: later\r\n\r\n", "").subject == "later"
    reader.close()


def test_forked_or_spawned_it_reads_the_same() -> None:
    """warm() forks while there are no threads; whatever comes later is spawned."""
    for begin in (BoundedReader.warm, lambda reader: None):
        reader = BoundedReader(10, GIGABYTE, as_real)
        begin(reader)
        assert one(reader, b"Subject: later\r\n\r\n", "").subject == "later"
        reader.close()


def test_a_machine_that_has_no_process_left(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = BoundedReader(10, GIGABYTE, as_real)

    def start(self: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    for method in ("fork", "spawn"):
        monkeypatch.setattr(multiprocessing.get_context(method).Process, "start", start)
    for attempt in (reader.warm, lambda: one(reader, MAIL, "")):
        with pytest.raises(ReaderMissing, match="Resource temporarily unavailable"):
            attempt()
    monkeypatch.undo()
    assert one(reader, b"Subject: later\r\n\r\n", "").subject == "later"
    reader.close()


def test_closing_twice_and_before_the_start() -> None:
    reader = BoundedReader(10, GIGABYTE, as_real)
    reader.close()
    reader.warm()
    reader.close()
    reader.close()


def test_the_kernel_holds_the_bounds(reader: BoundedReader) -> None:
    one(reader, MAIL, "")
    assert resource.prlimit(process_of(reader), resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(process_of(reader), resource.RLIMIT_AS) == (GIGABYTE, GIGABYTE)


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (b"die", "reading it brought the reader down"),
        (b"loop", "reading it took longer than 0.2 seconds"),
        (b"nest", "it is nested too deeply to be read"),
    ],
)
def test_the_mails_beside_one_that_brings_it_down_are_read(order: bytes, told: str) -> None:
    reader = BoundedReader(0.2, GIGABYTE, as_obedient)
    bad = mail(b"X-Test: " + order + b"\r\n\r\n")
    try:
        found = reader.read([mail(b"Subject: 0\r\n\r\n"), bad, mail(b"Subject: 1\r\n\r\n"), bad])
    finally:
        reader.close()
    assert [each.report.subject if isinstance(each, Said) else each.why for each in found] == ["0", told, "1", told]


def test_more_than_goes_at_a_time(reader: BoundedReader) -> None:
    mails = [mail(b"Subject: %d\r\n\r\n" % number + b"x" * 700_000) for number in range(5)]
    found = reader.read(mails)
    assert [each.report.subject for each in found if isinstance(each, Said)] == list("01234")
    assert reader.read([]) == []


def test_a_fault_of_ours_in_a_batch_leaves_the_process_in_step(reader: BoundedReader) -> None:
    with pytest.raises(ReaderFailed, match="ValueError"):
        reader.read([mail(b"Subject: 0\r\n\r\n"), mail(b"X-Test: fail\r\n\r\n"), mail(b"Subject: 2\r\n\r\n")])
    assert one(reader, b"Subject: next\r\n\r\n", "").subject == "next"
