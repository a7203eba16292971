"""The journal: what was written comes back, whatever happens to files, clocks and disks."""

import contextlib
import errno
import os
import resource
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.envelope import Envelope
from storage import frame, journal
from storage.journal import JournalLocked, Reader, Writer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENVELOPE = Envelope("", ("token@bounces.test",), "mx.example", "192.0.2.1", NOW)
RAWS = st.binary(max_size=60) | st.just(b"BMX1" * 20)
BATCHES = st.lists(st.lists(RAWS, min_size=1, max_size=4), min_size=1, max_size=5)
CLOCK_2027 = 1_800_000_000

EIO = OSError(errno.EIO, "Input/output error")


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


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments are begun by size alone, however slow the machine is."""
    monkeypatch.setattr(journal, "SEGMENT_SECONDS", 3600)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """clock(seconds) sets the time; the same second until it is set again."""
    now = [float(CLOCK_2027)]
    monkeypatch.setattr(journal.time, "time", lambda: now[0])
    return lambda seconds: now.__setitem__(0, float(seconds))


@given(BATCHES, st.integers(1, 400))
def test_what_is_written_comes_back_in_order(batches: list[list[bytes]], segment_octets: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Writer(folder, segment_octets) as writer:
            positions = [position for batch in batches for position in write(writer, *batch)]
        written = dict(zip(positions, [raw for batch in batches for raw in batch], strict=True))
        assert positions == sorted(set(positions))
        assert {mail.position: mail.raw for mail in read_all(Reader(folder))} == written
        assert [found.position for found in journal.frames(folder)] == positions
        for start in positions:  # a worker goes on where it was
            assert raws(folder, start) == [written[position] for position in positions if position >= start]


@settings(max_examples=60)
@given(BATCHES, st.integers(1, 400), st.booleans(), st.booleans(), st.data())
def test_damage_loses_what_it_hit_and_nothing_else(
    batches: list[list[bytes]], segment_octets: int, cut: bool, restart: bool, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Writer(folder, segment_octets) as writer:
            for batch in batches:
                write(writer, *batch)
        before = list(journal.frames(folder))
        segment = data.draw(st.sampled_from([each for each in journal.segments(folder) if each.octets]))
        at = data.draw(st.integers(0, segment.octets - 1))
        damage(segment.path, at, cut=cut)
        if restart:
            with Writer(folder) as writer:
                assert write(writer, b"new")[0] > before[-1].position
        place = segment.start + at
        hit = [f for f in before if f.position <= place < f.end or (cut and place < f.position < segment.end)]
        expected = [f for f in before if f not in hit]
        found = list(journal.frames(folder))
        assert found[: len(expected)] == expected
        assert [f.mail.raw for f in found[len(expected) :]] == [b"new"] * restart


def damage(path: Path, at: int, *, cut: bool) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:at] if cut else content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])


def test_the_octets_that_were_passed_over_are_counted(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        first, second, third = write(writer, b"one", b"two", b"three")
    damage(journal.segments(tmp_path)[0].path, second - first + 20, cut=False)
    reader = Reader(tmp_path)
    assert [mail.position for mail in reader.read()] == [first, third]
    assert reader.skipped_octets == third - second
    reader.close()


STEPS = st.lists(
    st.sampled_from(["write", "restart", "back", "forward", "remove", "junk", "cut", "foreign"]), max_size=12
)


@settings(max_examples=60)
@given(STEPS, st.booleans())
@example(["restart", "restart"], True)
@example(["back", "restart", "write", "restart", "restart"], False)
def test_positions_only_grow(steps: list[str], mark_is_damaged: bool) -> None:
    now = [CLOCK_2027]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        patch.setattr(journal.time, "time", lambda: now[0])
        folder = Path(name)
        writer = Writer(folder, 150)
        given_out = write(writer, b"first")
        for step in steps:
            if step in ("back", "forward"):
                now[0] += 86_400 * (-1000 if step == "back" else 1)
            elif step == "restart":
                writer.close()
                if mark_is_damaged:
                    (folder / "committed").write_bytes(b"\xff" * 8)
                writer = Writer(folder, 150)
            elif step != "write":
                spoil(folder, step, keep_newest=mark_is_damaged)
            given_out += write(writer, step.encode(), b"x" * 100)
            assert given_out[-2] > given_out[-3]
        writer.close()
        assert given_out == sorted(set(given_out))
        assert given_out[-1] < 2**53


def spoil(folder: Path, how: str, *, keep_newest: bool) -> None:
    present = journal.segments(folder)
    if how == "remove":
        for segment in present[:-1] if keep_newest else present:
            segment.path.unlink()
    elif how == "junk":
        (folder / f"{present[0].start - 1 if present else 5:020}.seg").write_bytes(b"BMX1junk" * 9)
    elif how == "cut":
        for segment in present[-1:]:
            os.truncate(segment.path, segment.octets // 2)
    else:
        (folder / f"{10**20 - 1}.seg").write_bytes(b"x" * 30)
        (folder / f"{2**52:020}.seg").mkdir(exist_ok=True)


def test_two_starts_in_one_second_without_a_mail(tmp_path: Path, clock: Callable[[float], None]) -> None:
    for _ in range(3):
        Writer(tmp_path).close()
    clock(0)  # and one that was set back by decades
    for _ in range(2):
        Writer(tmp_path).close()
    assert len(journal.segments(tmp_path)) == 5


def test_a_clock_far_ahead_does_not_use_up_the_positions(tmp_path: Path, clock: Callable[[float], None]) -> None:
    clock(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
    with Writer(tmp_path) as writer:
        write(writer, b"one")
    with Writer(tmp_path) as writer:
        (position,) = write(writer, b"two")
    assert position < 2**53
    assert raws(tmp_path) == [b"one", b"two"]


def test_files_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    foreign = {"README": b"hello", f"{10**20 - 1}.seg": b"x", "1.seg": b"y", f"{7:020}.seg.bak": b"z"}
    for name, content in foreign.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / f"{9:020}.seg").mkdir()
    with Writer(tmp_path) as writer:
        write(writer, b"mail")
        assert raws(tmp_path) == [b"mail"]
    with Writer(tmp_path):
        Reader(tmp_path).remove_consumed(2**53)
    assert {name: (tmp_path / name).read_bytes() for name in foreign} == foreign


def test_a_reader_sees_nothing_before_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[bytes]] = []
    fdatasync = os.fdatasync
    with Writer(tmp_path) as writer:
        write(writer, b"one")
        monkeypatch.setattr(os, "fdatasync", lambda fd: (seen.append(raws(tmp_path)), fdatasync(fd)))
        write(writer, b"two")
        assert seen == [[b"one"]]
        assert raws(tmp_path) == [b"one", b"two"]


def test_a_mark_that_points_too_far_shows_nothing_unwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "committed").write_bytes((2**52).to_bytes(8, "big"))
    seen: list[list[bytes]] = []
    with Writer(tmp_path) as writer:
        monkeypatch.setattr(os, "fdatasync", lambda fd: seen.append(raws(tmp_path)))
        write(writer, b"one")
    assert seen == [[]]
    assert raws(tmp_path) == [b"one"]


def test_a_failed_sync_takes_the_batch_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Writer(tmp_path) as writer:
        write(writer, b"before")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", raising(EIO))
            for _ in range(2):
                with pytest.raises(OSError, match="Input/output"):
                    write(writer, b"lost one", b"lost two")
        assert raws(tmp_path) == [b"before"]
        write(writer, b"behind")
        assert raws(tmp_path) == [b"before", b"behind"]
        assert len(journal.segments(tmp_path)) == 3  # never again into one that failed
    with Writer(tmp_path):
        assert raws(tmp_path) == [b"before", b"behind"]


def test_a_full_disk_takes_the_batch_back(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        write(writer, b"before")
        with largest_file(4096), pytest.raises(OSError, match="No space left"):
            write(writer, b"x" * 3000, b"y" * 3000)
        assert raws(tmp_path) == [b"before"]
        write(writer, b"behind")
        assert raws(tmp_path) == [b"before", b"behind"]


@contextlib.contextmanager
def largest_file(octets: int) -> Iterator[None]:
    """What a write beyond that meets is much like a full disk: its first part goes through."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_segment_that_could_not_be_begun_is_begun_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Writer(tmp_path, segment_octets=1) as writer:
        write(writer, b"before")
        with monkeypatch.context() as patch:
            patch.setattr(journal, "_sync_folder", raising(EIO))
            with pytest.raises(OSError, match="Input/output"):
                write(writer, b"lost")
        write(writer, b"behind")
    assert raws(tmp_path) == [b"before", b"behind"]


def raising(error: OSError) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise error

    return fail


def test_a_mail_that_could_not_be_read_again_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Writer(tmp_path) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(frame, "MAX_MAIL_OCTETS", 10)
            with pytest.raises(ValueError, match="octets"):
                write(writer, b"small", b"more than ten octets")
        write(writer, b"behind")
    assert raws(tmp_path) == [b"behind"]


def test_a_batch_of_more_mails_than_one_system_call_takes(tmp_path: Path) -> None:
    many = [b"%d" % number for number in range(1500)]
    with Writer(tmp_path) as writer:
        write(writer, *many)
    assert raws(tmp_path) == many


def test_a_torn_tail_is_cut(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        write(writer, b"one")
    (segment,) = journal.segments(tmp_path)
    with segment.path.open("ab") as file:
        file.write(b"BMX1\0\0\0\5half")
    with Writer(tmp_path) as writer:
        (position,) = write(writer, b"two")
    assert segment.path.stat().st_size == segment.octets
    assert position > segment.end
    assert raws(tmp_path) == [b"one", b"two"]


def test_a_mail_that_was_answered_is_not_cut_even_when_damaged(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        write(writer, b"one")
        write(writer, b"two")
    (segment,) = journal.segments(tmp_path)
    damage(segment.path, segment.octets - 1, cut=False)
    Writer(tmp_path).close()
    assert segment.path.stat().st_size == segment.octets
    assert raws(tmp_path) == [b"one"]


def test_a_frame_that_was_whole_but_never_answered_is_kept(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        write(writer, b"one")
        mark = (tmp_path / "committed").read_bytes()
        write(writer, b"two")
    (tmp_path / "committed").write_bytes(mark)  # killed between write and answer
    assert raws(tmp_path) == [b"one"]
    Writer(tmp_path).close()
    assert raws(tmp_path) == [b"one", b"two"]


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
