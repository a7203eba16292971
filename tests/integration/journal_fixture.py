"""What tests of the journal write, and how they read it."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handlers.envelope import Envelope
from storage import frame, journal
from storage.journal import Reader, Writer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENVELOPE = Envelope("", ("token@bounces.test",), "mx.example", "192.0.2.1", NOW)


def write(writer: Writer, *raws: bytes) -> list[int]:
    return writer.write([(ENVELOPE, raw) for raw in raws])


def raws(folder: Path, position: int = 0) -> list[bytes]:
    return [mail.raw for mail in read_all(Reader(folder, position))]


def read_all(reader: Reader) -> list[frame.Mail]:
    with contextlib.closing(reader):
        return list(iter_reads(reader))


def iter_reads(reader: Reader) -> Iterator[frame.Mail]:
    while found := reader.read(most=2):
        yield from found


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments are begun by size alone, however slow the machine is."""
    monkeypatch.setattr(journal, "SEGMENT_SECONDS", 3600)
