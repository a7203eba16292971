"""The octets of DATA, against the obvious way to read them."""

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from server.data import Content

LIMIT = 12
PIECES = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.\r\n", b"..", b"a", b"\0", b"bcd"]), max_size=12
).map(b"".join)


def obvious(text: bytes, limit: int) -> tuple[bytes | None, bool, bytes] | None:
    """(mail or None when too big, too big, what came behind); None where the mail has no end yet."""
    whole = b"\r\n" + text
    end = whole.find(b"\r\n.\r\n")
    if end < 0:
        return None
    sent = whole[2 : end + 2]
    lines = sent.split(b"\r\n")
    mail = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
    too_big = len(sent) > limit
    return None if too_big else mail, too_big, whole[end + 5 :]


def fed(chunks: list[bytes], limit: int) -> tuple[bytes | None, bool, bytes] | None:
    content = Content(limit)
    for number, chunk in enumerate(chunks):
        rest = content.feed(chunk)
        if rest is not None:
            mail = None if content.too_big else content.take(b"")
            return mail, content.too_big, rest + b"".join(chunks[number + 1 :])
        assert content.kept_octets <= limit + 7
    return None


def cut(text: bytes, places: list[int]) -> list[bytes]:
    borders = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in itertools.pairwise(borders)]


@given(PIECES, st.lists(st.integers(0, 50), max_size=6), st.sampled_from([LIMIT, 10**6]))
@example(b".\r\nQUIT\r\n", [], LIMIT)
@example(b"..\r\n.\r\n", [1, 2, 3], LIMIT)
@example(b"1234567890\r\n.\r\n", [13], LIMIT)
@example(b"12345678901\r\n.\r\n", [14], LIMIT)
def test_any_chunks_give_what_the_obvious_way_gives(text: bytes, places: list[int], limit: int) -> None:
    assert fed(cut(text, places), limit) == obvious(text, limit)


@given(PIECES)
def test_octet_by_octet(text: bytes) -> None:
    assert fed([text[i : i + 1] for i in range(len(text))], LIMIT) == obvious(text, LIMIT)


@given(st.binary(max_size=40) | PIECES)
def test_what_a_client_stuffs_comes_back(mail: bytes) -> None:
    mail += b"\r\n"
    stuffed = (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:]
    content = Content(10**6)
    assert content.feed(stuffed + b".\r\n") == b""
    assert content.take(b"Received: x\r\n") == b"Received: x\r\n" + mail


def test_the_edge_of_the_limit() -> None:
    for octets, too_big in ((LIMIT, False), (LIMIT + 1, True)):
        content = Content(LIMIT)
        assert content.feed(b"x" * (octets - 2) + b"\r\n.\r\n") == b""
        assert content.too_big is too_big
        assert content.octets == octets + 3


def test_far_more_than_the_limit_takes_no_memory_and_still_ends() -> None:
    content = Content(LIMIT)
    for _ in range(100):
        assert content.feed(b"x" * 1000) is None
        assert content.kept_octets < 10
    assert content.octets == 100_000
    assert content.feed(b"\r\n.") is None
    assert content.feed(b"\r\nNOOP\r\n") == b"NOOP\r\n"
    assert content.too_big


def test_what_is_dropped_takes_no_memory_and_still_ends() -> None:
    content = Content(10**6)
    assert content.feed(b"x" * 1000 + b"\r\n") is None
    content.drop()
    assert content.feed(b".") is None
    assert content.kept_octets < 10
    assert content.feed(b"\r\nQUIT") == b"QUIT"
    assert content.dropped
    assert not content.too_big
