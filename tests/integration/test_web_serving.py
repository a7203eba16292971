"""The web task as a process."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process and its address."""
    command = [sys.executable, "-P", "-m", "server", "serve", "--only", "web", "--http", "127.0.0.1:0"]
    process = subprocess.Popen([*command, "--data-dir", str(tmp_path / "data")], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"pages at (http://127\.0\.0\.1:\d+)/", line):
            break
    else:
        raise AssertionError(f"it ended: {process.wait()}")
    yield process, found[1]
    process.kill()
    process.wait()
    process.stderr.close()


def fetch(address: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_it_makes_what_is_missing_serves_and_stops(served: tuple["subprocess.Popen[str]", str], tmp_path: Path) -> None:
    process, address = served
    status, page = fetch(address + "/")
    assert status == 200
    assert "Nothing has come in yet" in page
    assert json.loads(fetch(address + "/healthz")[1])["database"] == "ok"
    assert fetch(address + "/static/bouncemx.css")[0] == 200
    assert fetch(address + "/", Host="evil.example")[0] == 421
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


def test_half_requests_keep_nobody_else_waiting(served: tuple["subprocess.Popen[str]", str]) -> None:
    process, address = served
    port = int(address.rpartition(":")[2])
    half = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    try:
        for each in half:
            each.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert fetch(address + "/healthz")[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    finally:
        for each in half:
            each.close()
