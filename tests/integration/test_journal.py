"""The journal: what was written comes back, whatever happens to files, clocks and disks."""

import contextlib
import errno
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from storage import frame, journal
from storage.journal import Reader, Writer
from tests.integration.journal_fixture import raws, read_all, write

pytestmark = pytest.mark.usefixtures("unhurried")

RAWS = st.binary(max_size=60) | st.just(b"BMX1" * 20)
BATCHES = st.lists(st.lists(RAWS, min_size=1, max_size=4), min_size=1, max_size=5)
CLOCK_2027 = 1_800_000_000

EIO = OSError(errno.EIO, "Input/output error")


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
