"""Whom this process connects to, whatever library does it."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

_RECORDING: list[list[Any]] = []


@pytest.fixture(scope="session")
def audited() -> None:
    """An audit hook stays for the life of the process, so there is one."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if _RECORDING and event == "socket.connect":
            _RECORDING[-1].append(arguments[1])

    sys.addaudithook(hook)


@pytest.fixture
def reached(audited: None) -> Iterator[list[Any]]:
    """The addresses, in their order."""
    _RECORDING.append([])
    yield _RECORDING[-1]
    _RECORDING.pop()
