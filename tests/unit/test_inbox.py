"""The inbox: the same octets give the same lines and chunks, in whatever pieces they come."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.inbox import PAUSE_OCTETS, Inbox, LineTooLong

MOST = 6
TEXT = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"bc", b"x" * MOST, b"\0\xff"]), max_size=12)


class Transport:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


def inbox(transport: Transport | None = None) -> Inbox:
    made = Inbox(asyncio.get_running_loop())
    made.attach(transport or Transport())
    return made


def lines(box: Inbox) -> list[bytes | None]:
    """All that are here; None for one that was too long."""
    found: list[bytes | None] = []
    while True:
        try:
            line = box.take_line(MOST)
        except LineTooLong:
            found.append(None)
            continue
        if line is None:
            return found
        found.append(line)


def expected(text: bytes) -> list[bytes | None]:
    """The obvious way: the whole text at once."""
    whole = [line.removesuffix(b"\r") for line in text.split(b"\n")[:-1]]
    return [line if len(line) <= MOST else None for line in whole]


@given(TEXT)
def test_lines_do_not_depend_on_the_pieces_in_which_they_come(pieces: list[bytes]) -> None:
    async def read() -> list[bytes | None]:
        box = inbox()
        found = []
        for piece in pieces:
            box.feed(piece)
            found += lines(box)
        return found

    assert asyncio.run(read()) == expected(b"".join(pieces))


async def test_a_line_is_whole_or_none() -> None:
    box = inbox()
    assert box.take_line(99) is None
    box.feed(b"NO")
    assert box.take_line(99) is None
    box.feed(b"OP\n")
    assert box.take_line(99) == b"NOOP"
    assert box.take_line(99) is None


async def test_a_chunk_is_everything_that_is_here() -> None:
    box = inbox()
    box.feed(b"one")
    box.feed(b"two")
    assert await box.read() == b"onetwo"
    waiting = asyncio.ensure_future(box.read())
    await asyncio.sleep(0)
    box.feed(b"three")
    assert await waiting == b"three"
    box.end()
    assert await box.read() == b""


async def test_what_is_put_back_is_read_next() -> None:
    box = inbox()
    box.feed(b"one\ntwo\n")
    assert box.take_line(9) == b"one"
    box.feed(b"thr")
    assert [box.take_line(9), box.take_line(9)] == [b"two", None]
    box.put_back(b"zero\n")
    assert [box.take_line(9), box.take_line(9)] == [b"zero", None]


async def test_the_end_comes_behind_what_was_sent() -> None:
    box = inbox()
    box.feed(b"QUIT\r\n")
    box.end()
    assert box.ended
    assert box.take_line(9) == b"QUIT"
    assert box.take_line(9) is None


async def test_octets_from_before_tls_are_forgotten() -> None:
    box = inbox()
    box.feed(b"MAIL FROM:<>\r\n")
    box.attach(Transport())
    assert box.take_line(99) is None


async def test_much_that_nobody_reads_waits_in_the_kernel() -> None:
    transport = Transport()
    box = inbox(transport)
    box.feed(bytes(PAUSE_OCTETS))
    assert transport.calls == []
    box.feed(b"x")
    box.feed(b"x")
    assert transport.calls == ["pause"]
    assert len(await box.read()) == PAUSE_OCTETS + 2
    assert transport.calls == ["pause", "resume"]


async def test_an_endless_line_takes_no_room() -> None:
    transport = Transport()
    box = inbox(transport)
    for _ in range(10):
        box.feed(bytes(PAUSE_OCTETS // 2))
        assert box.take_line(MOST) is None
    assert transport.calls == []  # it never came to more than one piece
    box.feed(b"end\nnext\n")
    with pytest.raises(LineTooLong):
        box.take_line(MOST)
    assert box.take_line(MOST) == b"next"


async def test_exactly_so_many_octets() -> None:
    box = inbox()
    box.feed(b"abcdefgh")
    assert await box.readexactly(3) == b"abc"
    assert await box.read(2) == b"de"
    assert await box.read() == b"fgh"
    waiting = asyncio.ensure_future(box.readexactly(3))
    for piece in (b"i", b"jk", b"l"):
        await asyncio.sleep(0)
        box.feed(piece)
    assert await waiting == b"ijk"
    box.end()
    with pytest.raises(asyncio.IncompleteReadError):
        await box.readexactly(2)
    assert await box.read(1) == b"l"
    assert await box.read(1) == b""


async def test_until_a_separator_within_reason() -> None:
    box = inbox()
    box.feed(b"PROXY\r\nrest")
    assert await box.readuntil() == b"PROXY\r\n"
    box.feed(bytes(5000))
    with pytest.raises(asyncio.IncompleteReadError):
        await box.readuntil()


@pytest.mark.parametrize("read", [lambda box: box.read(), lambda box: box.readexactly(2)])
async def test_a_reader_that_gives_up_loses_nothing(read: Callable[[Inbox], object]) -> None:
    box = inbox()
    waiting = asyncio.ensure_future(read(box))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    box.feed(b"a\n")
    assert box.take_line(9) == b"a"
