"""What the C library can do and Python has no word for. Where it can't, nothing happens: both are conveniences."""

import ctypes
from contextlib import suppress

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # mallopt(3)
_PR_SET_NAME = 15  # prctl(2)


def give_memory_back() -> None:
    """glibc raises its threshold with the first large mail, and keeps the memory of all that follow (mallopt(3))."""
    with suppress(AttributeError):  # a C library without mallopt
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 20)
        library.mallopt(_M_ARENA_MAX, 2)


def name_process(task: str) -> None:
    """What `ps -o comm` and top show: they take 15 octets."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, f"bouncemx-{task}".encode(), 0, 0, 0)
