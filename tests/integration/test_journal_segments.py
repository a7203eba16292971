"""The journal's segments: which go, which stay, and who may write them."""

import os
import threading
from pathlib import Path

import pytest

from storage import journal
from storage.journal import JournalLocked, Reader, Writer
from tests.integration.journal_fixture import raws, write

pytestmark = pytest.mark.usefixtures("unhurried")


def test_what_was_consumed_goes_but_never_the_newest_segment(tmp_path: Path) -> None:
    with Writer(tmp_path, segment_octets=1) as writer:
        first, second, third = (write(writer, raw)[0] for raw in (b"one", b"two", b"three"))
        reader = Reader(tmp_path)
        assert reader.remove_consumed(first) == 0
        assert reader.remove_consumed(second) == 1
        assert raws(tmp_path) == [b"two", b"three"]
        assert reader.remove_consumed(2**53) == 1
        assert raws(tmp_path) == [b"three"]
        assert [segment.start for segment in journal.segments(tmp_path)] == [third]
        assert write(writer, b"four")[0] > third


def test_what_was_written_just_now_can_stay(tmp_path: Path) -> None:
    with Writer(tmp_path, segment_octets=1) as writer:
        for raw in (b"one", b"two", b"three"):
            write(writer, raw)
    old = journal.segments(tmp_path)[0].path
    os.utime(old, (0, 0))
    assert Reader(tmp_path).remove_consumed(2**53, keep_seconds=60) == 1
    assert raws(tmp_path) == [b"two", b"three"]


def test_a_segment_is_begun_now_and_then_while_the_worker_keeps_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SEGMENT_SECONDS", -1)
    with Writer(tmp_path) as writer:
        for number in range(80):
            write(writer, b"%d" % number)
        behind = len(journal.segments(tmp_path))
        assert behind == journal._KEEPING_UP + 1  # the worker is behind: what there is grows
        Reader(tmp_path).remove_consumed(writer.position)
        write(writer, b"last")
        assert len(journal.segments(tmp_path)) == 2
    assert raws(tmp_path)[-1] == b"last"


def test_one_process_writes(tmp_path: Path) -> None:
    with Writer(tmp_path), pytest.raises(JournalLocked, match="another intake"):
        Writer(tmp_path, lock_patience=0)
    Writer(tmp_path).close()


def test_the_next_writer_waits_for_the_one_before(tmp_path: Path) -> None:
    first = Writer(tmp_path)
    threading.Timer(0.01, first.close).start()
    Writer(tmp_path, lock_patience=10).close()


def test_several_readers_each_at_their_own_place(tmp_path: Path) -> None:
    with Writer(tmp_path, segment_octets=1) as writer:
        slow, quick = Reader(tmp_path), Reader(tmp_path)
        write(writer, b"one")
        write(writer, b"two")
        assert [mail.raw for mail in slow.read(most=1)] == [b"one"]
        assert [mail.raw for mail in quick.read()] == [b"one", b"two"]
        assert quick.read() == []
        write(writer, b"three")
        quick.remove_consumed(quick.position)
        assert [mail.raw for mail in quick.read()] == [b"three"]
        assert [mail.raw for mail in slow.read()] == [b"three"]  # what is consumed is consumed for all
        slow.close()
        quick.close()


def test_segments_may_go_while_somebody_lists_them(tmp_path: Path) -> None:
    with Writer(tmp_path, segment_octets=1) as writer:
        for number in range(4):
            write(writer, b"%d" % number)
        found = []
        for each in journal.frames(tmp_path):
            found.append(each.mail.raw)
            Reader(tmp_path).remove_consumed(2**53)
    assert found == [b"0", b"3"]


def test_an_octet_limit_still_gives_one_mail(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        write(writer, b"x" * 100, b"y" * 100)
    reader = Reader(tmp_path)
    assert [len(reader.read(most_octets=1)) for _ in range(3)] == [1, 1, 0]
    reader.close()


def test_there_is_nothing_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert raws(tmp_path / "none") == []
    assert journal.committed(tmp_path / "none") == 0
    assert journal.free_octets(tmp_path / "none") == 0
    assert journal.free_octets(tmp_path) > 0
