"""Frames of the journal: found again where they were written, and only there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.envelope import Envelope, Mail
from storage import frame

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('\udc80\ud800\0"\\\r\n'), max_size=20)
ENVELOPES = st.builds(
    Envelope,
    reverse_path=TEXT,
    forward_paths=st.lists(TEXT, max_size=3).map(tuple),
    helo=TEXT,
    client=TEXT,
    received_at=st.datetimes(timezones=st.just(UTC)),
    protocol=st.sampled_from(["SMTP", "ESMTPS"]),
    tls=st.none() | TEXT,
)
POSITIONS = st.integers(0, 2**53)
RAW = st.binary(max_size=50)
SMALL = Envelope("", ("a@b",), "h", "c", datetime(2026, 1, 1, tzinfo=UTC))


def framed(position: int, envelope: Envelope, raw: bytes) -> bytes:
    meta = frame.encode_envelope(envelope)
    return frame.encode(position, meta, raw) + meta + raw


@contextmanager
def file_of(data: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.fileno()


@given(ENVELOPES)
def test_an_envelope_comes_back_as_it_was(envelope: Envelope) -> None:
    assert frame.decode_envelope(frame.encode_envelope(envelope)) == envelope


@given(POSITIONS, ENVELOPES, RAW, RAW, RAW)
def test_a_frame_comes_back_where_it_was_written(
    position: int, envelope: Envelope, raw: bytes, before: bytes, behind: bytes
) -> None:
    data = framed(position, envelope, raw)
    with file_of(before + data + behind) as fd:
        found = frame.read(fd, len(before), position)
        assert found == frame.Frame(position, position + len(data), Mail(position, envelope, raw))
        assert frame.read(fd, len(before), position + 1) is None


def test_every_changed_octet_and_every_cut_is_seen(example: bytes) -> None:
    for at in range(len(example)):
        damaged = bytearray(example)
        damaged[at] ^= 1 << at % 8
        with file_of(bytes(damaged)) as fd:
            assert frame.read(fd, 0, 7) is None, at
        with file_of(example[:at]) as fd:
            assert frame.read(fd, 0, 7) is None, at


@given(st.lists(st.sampled_from([b"BMX1", b"BM", b"BMX1" * 5, bytes(16), b"x" * 7]), max_size=8).map(b"".join))
def test_a_frame_is_found_behind_anything(junk: bytes) -> None:
    position = 1000 + len(junk)
    with file_of(b"?" * 10 + junk + framed(position, SMALL, b"raw")) as fd:
        found = frame.search(fd, 10, 1000)
        assert found is not None
        assert (found.position, found.mail.raw) == (position, b"raw")


@pytest.mark.parametrize("octets", [4, 5, 7, 64])
def test_a_frame_is_found_across_the_borders_of_what_is_read_at_once(
    octets: int, example: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "_SEARCH_OCTETS", octets)
    for junk in range(20):
        with file_of(b"B" * junk + example) as fd:
            assert frame.search(fd, 0, 7 - junk) is not None


def test_nothing_is_found_in_an_empty_or_a_short_file() -> None:
    for data in (b"", b"B", b"BMX", b"BMX1", b"BMX1" + bytes(12)):
        with file_of(data) as fd:
            assert frame.search(fd, 0, 0) is None


@pytest.mark.parametrize(("envelope", "raw"), [(2**32 - 1, 0), (0, 2**32 - 1), (frame.MAX_ENVELOPE_OCTETS + 1, 0)])
def test_absurd_lengths_are_not_read(envelope: int, raw: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    pread = os.pread
    with file_of(frame.HEADER.pack(frame.MAGIC, envelope, raw, 0)) as fd:
        monkeypatch.setattr(os, "pread", lambda fd, n, at: lengths.append(n) or pread(fd, n, at))
        assert frame.read(fd, 0, 0) is None
    assert len(lengths) == 1
    assert lengths[0] < 1 << 20


def test_what_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(ValueError, match="octets"):
        frame.encode(0, bytes(frame.MAX_ENVELOPE_OCTETS + 1), b"")


def test_a_mail_full_of_false_frames_costs_no_more_than_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    false = b"".join(frame.HEADER.pack(frame.MAGIC, 0, 1000 + n, 0) for n in range(500)) + bytes(2000)
    read: list[int] = []
    pread = os.pread
    with file_of(false + framed(len(false), SMALL, b"raw")) as fd:
        assert frame.search(fd, 0, 0) is not None
        monkeypatch.setattr(frame, "_CHECKED_OCTETS", 100_000)
        monkeypatch.setattr(os, "pread", lambda *args: read.append(len(found := pread(*args))) or found)
        assert frame.search(fd, 0, 0) is None
    assert sum(read) < 150_000


def test_what_does_not_fit_into_the_file_is_not_read(example: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "_CHECKED_OCTETS", 1)
    with file_of(frame.HEADER.pack(frame.MAGIC, 0, frame.MAX_MAIL_OCTETS, 0) * 9 + example) as fd:
        assert frame.search(fd, 0, 7 - 9 * frame.HEADER.size) is not None


@pytest.fixture
def example() -> bytes:
    """A small frame for position 7."""
    return framed(7, SMALL, b"Subject: x\r\n\r\n")
