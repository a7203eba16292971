"""Group commit: one write for all who wait, and nobody's mail is lost because somebody left."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial

import pytest

from handlers.envelope import Envelope
from server.group_commit import GroupCommit

ENVELOPE = Envelope("", (), "h", "c", datetime(2026, 1, 1, tzinfo=UTC))


class Disk:
    """A store that writes when it may, and fails when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.may_write = threading.Event()
        self.may_write.set()
        self.begun = threading.Event()
        self.error: Exception | None = None

    def write(self, batch: Sequence[tuple[Envelope, bytes]]) -> list[int]:
        self.begun.set()
        assert self.may_write.wait(20)
        if self.error:
            raise self.error
        self.batches.append([raw for _, raw in batch])
        return [int(raw) for _, raw in batch]


@contextlib.asynccontextmanager
async def committing(disk: Disk, clients: int) -> AsyncIterator[GroupCommit]:
    commit = GroupCommit(disk, asyncio.get_running_loop(), lambda: clients)
    try:
        yield commit
    finally:
        disk.may_write.set()
        async with asyncio.timeout(20):
            await commit.close()


def put(commit: GroupCommit, *numbers: int) -> list[asyncio.Future[int]]:
    """A future for each; it is answered as a session is."""
    waiting = []
    for number in numbers:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        commit.put(ENVELOPE, b"%d" % number, partial(answer, future))
        waiting.append(future)
    return waiting


def answer(future: asyncio.Future[int], result: int | Exception) -> None:
    """Raises InvalidStateError where nobody waits for it any longer."""
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


async def test_what_comes_together_is_written_together_and_answered_singly() -> None:
    disk = Disk()
    async with committing(disk, clients=3) as commit:
        assert await asyncio.gather(*put(commit, 3, 1, 2)) == [3, 1, 2]
    assert disk.batches == [[b"3", b"1", b"2"]]


async def test_the_next_batch_gathers_while_one_is_written() -> None:
    disk = Disk()
    disk.may_write.clear()
    async with committing(disk, clients=1) as commit:
        (first,) = put(commit, 1)
        await asyncio.to_thread(disk.begun.wait)
        others = put(commit, 2, 3)
        await asyncio.sleep(0)
        others += put(commit, 4)
        disk.may_write.set()
        await asyncio.gather(first, *others)
    assert disk.batches == [[b"1"], [b"2", b"3", b"4"]]


async def test_one_client_waits_for_nobody() -> None:
    disk = Disk()
    async with committing(disk, clients=1) as commit:
        (future,) = put(commit, 1)
        await asyncio.to_thread(disk.begun.wait)
        assert await future == 1


async def test_clients_that_bring_nothing_are_not_waited_for() -> None:
    disk = Disk()
    async with committing(disk, clients=1000) as commit:
        assert await asyncio.gather(*put(commit, 1, 2)) == [1, 2]
    assert disk.batches == [[b"1", b"2"]]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), ValueError("broken")])
async def test_an_error_fails_its_whole_batch_and_no_other(error: Exception) -> None:
    disk = Disk()
    disk.error = error
    async with committing(disk, clients=2) as commit:
        found = await asyncio.gather(*put(commit, 1, 2), return_exceptions=True)
        assert found == [error, error]
        disk.error = None
        assert await asyncio.gather(*put(commit, 3)) == [3]
    assert disk.batches == [[b"3"]]


async def test_who_leaves_takes_no_mail_along() -> None:
    disk = Disk()
    disk.may_write.clear()
    async with committing(disk, clients=2) as commit:
        waiting = [asyncio.ensure_future(asyncio.shield(future)) for future in put(commit, 1, 2)]
        await asyncio.to_thread(disk.begun.wait)
        waiting[0].cancel()
        disk.may_write.set()
        assert await waiting[1] == 2
    assert disk.batches == [[b"1", b"2"]]


async def test_one_that_cannot_be_told_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    async with committing(disk, clients=2) as commit:
        first, second = put(commit, 1, 2)
        first.cancel()
        assert await second == 2
    assert disk.batches == [[b"1", b"2"]]
    assert "a client could not be told" in caplog.text


async def test_nobody_is_told_before_it_is_handed_over() -> None:
    told: list[int | Exception] = []
    async with committing(Disk(), clients=1) as commit:
        commit.put(ENVELOPE, b"7", told.append)
        assert told == []
    assert told == [7]


async def test_an_end_waits_for_what_was_taken() -> None:
    disk = Disk()
    disk.may_write.clear()
    async with committing(disk, clients=1) as commit:
        futures = put(commit, 1, 2)
        closing = asyncio.ensure_future(commit.close())
        await asyncio.to_thread(disk.begun.wait)
        assert not closing.done()
        disk.may_write.set()
        await closing
        assert [future.result() for future in futures] == [1, 2]
