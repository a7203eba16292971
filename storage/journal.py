"""The journal: every mail that was answered 250 is here until the worker has stored it.

Append-only segments in one folder, each named by the position of its first octet; a position is a number of octets
and the key of a capture. One process writes (held by a lock), any number read.

Positions only grow. Each start of the writer opens a new segment at the end of what is there or at the clock's
mark, whichever is higher, and a failed write ends its segment: no position is given twice, even after damage.
"""

import contextlib
import errno
import fcntl
import itertools
import mmap
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from handlers.envelope import Envelope, Mail
from storage import frame
from storage.frame import Frame

SEGMENT_OCTETS = 64 << 20
SEGMENT_SECONDS = 2.0
_KEEPING_UP = 64  # segments on the disk
# A start of the writer moves the position to (seconds since 2026) x 16 MiB. An intake that writes less than that
# a second on average can't be behind its own positions, and they stay below 2**53, exact in JSON, until 2043.
_EPOCH = 1_767_225_600
_OCTETS_A_SECOND = 1 << 24
_POSITIONS = 1 << 53  # there are no more
_LATEST_CLOCK = 1 << 52  # a clock that is decades ahead must not use them up
_NAME = re.compile(r"([0-9]{20})\.seg")


class JournalLocked(Exception):
    """Another process writes this journal."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the journal."""

    path: Path
    start: int
    octets: int
    written: float  # when it was last written to, seconds since 1970

    @property
    def end(self) -> int:
        return self.start + self.octets


def segments(folder: Path) -> list[Segment]:
    """The segments in the order of their positions. Files of other names are not ours and are left alone."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match and int(match[1]) < _POSITIONS:
            with contextlib.suppress(FileNotFoundError):  # the worker removes consumed segments meanwhile
                state = path.stat()
                if stat.S_ISREG(state.st_mode):
                    found.append(Segment(path, int(match[1]), state.st_size, state.st_mtime))
    return sorted(found, key=lambda segment: segment.start)


class Writer:
    """Appends batches of mails; a batch is on disk when write() returns."""

    def __init__(self, folder: Path, segment_octets: int = SEGMENT_OCTETS, lock_patience: float = 10.0) -> None:
        """Raises JournalLocked when another writer is still there after `lock_patience` seconds, OSError."""
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._folder = folder
        self._segment_octets = segment_octets
        self._lock = _locked(folder / "lock", lock_patience)
        self._mark = _CommitMark(folder)
        self._fd = -1
        self._start = 0
        self._octets = 0
        self._opened = 0.0
        self._broken = True  # until the first segment is open
        self.position = _first_free_position(folder)
        self._roll()
        self._mark.set(self.position)

    def write(self, batch: Sequence[tuple[Envelope, bytes]]) -> list[int]:
        """The positions of the mails, all of them on disk. Raises OSError, and then none of them is captured."""
        if self._broken or self._is_due():
            self._roll()
        positions: list[int] = []
        buffers: list[bytes] = []
        end = self.position
        for envelope, raw in batch:
            meta = frame.encode_envelope(envelope)
            positions.append(end)
            buffers += (frame.encode(end, meta, raw), meta, raw)
            end += frame.HEADER.size + len(meta) + len(raw)
        try:
            _write_all(self._fd, buffers)
            os.fdatasync(self._fd)
        except OSError:
            self._abandon(end)
            raise
        self._octets += end - self.position
        self.position = end
        self._mark.set(end)
        return positions

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._mark.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _is_due(self) -> bool:
        """Small segments while the worker keeps up, so that a mail leaves the disk soon after it was stored."""
        if self._octets >= self._segment_octets:
            return True
        if not self._octets or time.monotonic() - self._opened < SEGMENT_SECONDS:
            return False
        self._opened = time.monotonic()  # or each write would look at the folder while the worker is behind
        return len(segments(self._folder)) <= _KEEPING_UP

    def _roll(self) -> None:
        """A new segment at the present position."""
        path = self._path(self.position)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            _sync_folder(self._folder)
        except OSError:
            os.close(fd)
            path.unlink()  # or the next try could not create it
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._start, self._octets, self._broken = fd, self.position, 0, False
        self._opened = time.monotonic()

    def _abandon(self, end: int) -> None:
        """After a failed write nobody knows what is on disk: cut it off and go on behind it in a new segment."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self.position - self._start)
        self.position = end
        self._broken = True

    def _path(self, position: int) -> Path:
        return self._folder / f"{position:020}.seg"


class Reader:
    """Reads what is on disk, in order, from a position on."""

    def __init__(self, folder: Path, position: int = 0) -> None:
        """`position`: where the last batch that was stored ended; 0 for the start."""
        self._folder = folder
        self.position = position
        self.skipped_octets = 0  # torn or damaged, passed over
        self._start = 0
        self._fd = -1

    def read(self, most: int = 100, most_octets: int = 32 << 20) -> list[Mail]:
        """The next mails, at most `most` of them; [] where nothing new is on disk. Moves `position` behind them."""
        mails: list[Mail] = []
        octets = 0
        for found in self.frames():
            self.position = found.end
            mails.append(found.mail)
            octets += len(found.mail.raw)
            if len(mails) >= most or octets >= most_octets:
                break
        return mails

    def frames(self) -> Iterator[Frame]:
        """What is on disk now, from `position` on; whoever takes a frame moves `position` behind it."""
        durable = committed(self._folder)
        present = segments(self._folder)
        newest = present[-1].start if present else 0
        while self._open(present):
            start = self._start
            end = durable if start == newest else start + os.fstat(self._fd).st_size
            while found := self._frame(end):
                yield found
            if start == newest:
                return
            self.skipped_octets += max(0, end - self.position)
            self.position = min(segment.start for segment in present if segment.start > start)

    def remove_consumed(self, position: int, keep_seconds: float = 0.0) -> int:
        """Removes the segments that end at or before this position, but never the newest. How many went.

        `keep_seconds`: those that were written to in that time stay.
        """
        now = time.time()
        present = segments(self._folder)
        gone = 0
        for segment, following in itertools.pairwise(present):
            consumed = segment.end <= position or following.start <= position
            if not consumed or now - segment.written < keep_seconds:
                break
            segment.path.unlink(missing_ok=True)
            gone += 1
        return gone

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self, present: list[Segment]) -> bool:
        """Opens the segment in which the position is, or the first one behind it. Drops from the list what is gone."""
        while present:
            before = [segment for segment in present if segment.start <= self.position]
            wanted = before[-1] if before else present[0]
            with contextlib.suppress(FileNotFoundError):  # another reader has removed it
                if self._fd < 0 or self._start != wanted.start:
                    self.close()
                    self._fd = os.open(wanted.path, os.O_RDONLY | os.O_CLOEXEC)
                    self._start = wanted.start
                self.position = max(self.position, wanted.start)
                return True
            present.remove(wanted)
        return False

    def _frame(self, end: int) -> Frame | None:
        """The next whole frame before `end`, past damage where there is some."""
        if self.position >= end:
            return None
        offset = self.position - self._start
        found = frame.read(self._fd, offset, self.position) or frame.search(self._fd, offset, self.position)
        if found is None or found.end > end:
            return None
        self.skipped_octets += found.position - self.position
        return found


def frames(folder: Path) -> Iterator[Frame]:
    """Every whole frame that is on disk, for people who look."""
    reader = Reader(folder)
    try:
        for found in reader.frames():
            reader.position = found.end
            yield found
    finally:
        reader.close()


def committed(folder: Path) -> int:
    """Where the durable part of the newest segment ends; 0 where no writer ever ran, or the mark is damaged."""
    try:
        mark = int.from_bytes((folder / "committed").read_bytes()[:8], "big")
    except FileNotFoundError:
        return 0
    return mark if mark < _POSITIONS else 0


def free_octets(folder: Path) -> int:
    """The room that is left for the journal; 0 where that can't be found out."""
    try:
        state = os.statvfs(folder)
    except OSError:
        return 0
    return state.f_bavail * state.f_frsize


class _CommitMark:
    """Eight octets that tell readers how far the newest segment is durable."""

    def __init__(self, folder: Path) -> None:
        fd = os.open(folder / "committed", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if os.fstat(fd).st_size < 8:
                os.pwrite(fd, bytes(8), 0)
            self._map = mmap.mmap(fd, 8)
        finally:
            os.close(fd)

    def set(self, position: int) -> None:
        self._map[:8] = position.to_bytes(8, "big")

    def close(self) -> None:
        self._map.close()


def _first_free_position(folder: Path) -> int:
    """Behind everything there, its torn tail cut, and not before the clock's mark."""
    mark = committed(folder)
    present = segments(folder)
    if present:
        _cut_torn_tail(present[-1], mark)
    # one more: an empty segment has its name already
    behind = max((segment.end + 1 for segment in present), default=1)
    clock = int(time.time() - _EPOCH) * _OCTETS_A_SECOND
    return max(mark, behind, min(clock, _LATEST_CLOCK))


def _cut_torn_tail(segment: Segment, mark: int) -> None:
    """Cuts off what was being written when the last writer ended: no client had an answer for it.

    What is before the mark was answered: damage in there stays, for a person to look at.
    """
    fd = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
    try:
        position = segment.start
        while found := frame.read(fd, position - segment.start, position):
            position = found.end
        damaged = frame.search(fd, position - segment.start, position)
        if mark <= position < segment.end and not damaged:
            os.ftruncate(fd, position - segment.start)
        os.fdatasync(fd)
    finally:
        os.close(fd)


def _write_all(fd: int, buffers: list[bytes]) -> None:
    for start in range(0, len(buffers), 512):  # IOV_MAX is 1024
        chunk = buffers[start : start + 512]
        wanted = sum(map(len, chunk))
        if os.writev(fd, chunk) != wanted:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # a short write on a file means that


def _locked(path: Path, patience: float) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(fd)
                raise JournalLocked(f"{path}: another intake writes this journal; stop it first") from None
            time.sleep(0.05)
        else:
            return fd


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
