"""Where we listen, and what is said when that can't be."""

import os
import socket

import pytest

from server import sockets
from server.settings import UserError


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:2525", ("127.0.0.1", 2525)),
        ("[::1]:25", ("::1", 25)),
        ("::1:25", ("::1", 25)),
        (":25", ("", 25)),
        ("mx.example.com:0", ("mx.example.com", 0)),
    ],
)
def test_host_and_port(address: str, parts: tuple[str, int]) -> None:
    assert sockets.split(address) == parts


@pytest.mark.parametrize("address", ["", "25", "127.0.0.1", "127.0.0.1:", "127.0.0.1:smtp", "127.0.0.1:65536", "a:-1"])
def test_what_is_no_host_and_port(address: str) -> None:
    with pytest.raises(UserError, match=r"is no HOST:PORT"):
        sockets.split(address)


def test_a_port_that_is_in_use_is_named() -> None:
    (first,) = sockets.listen("127.0.0.1:0")
    with first, pytest.raises(UserError, match=rf"127\.0\.0\.1:{first.getsockname()[1]}: Address already in use"):
        sockets.listen(f"127.0.0.1:{first.getsockname()[1]}")


def test_every_family_has_a_socket_of_its_own() -> None:
    found = sockets.listen(":0")
    try:
        assert {each.family for each in found} >= {socket.AF_INET}
        assert all(each.proto == socket.IPPROTO_TCP and not each.getblocking() for each in found)
    finally:
        for each in found:
            each.close()


@pytest.mark.parametrize("pid", [None, "1", "x"])
def test_sockets_of_another_process_are_not_ours(pid: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.delenv("LISTEN_PID", raising=False)
    if pid:
        monkeypatch.setenv("LISTEN_PID", pid)
    assert os.getpid() != 1
    assert sockets.activated() == []


def test_nobody_is_told_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    sockets.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    sockets.notify("READY=1")


def test_an_abstract_socket_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        name = f"bouncemx-test-{os.getpid()}"
        told.bind("\0" + name)
        told.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        sockets.notify("READY=1")
        assert told.recv(100) == b"READY=1"
