"""The command in this process, a data folder with something in it, and what commands there are."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from typer.main import get_command

import server.cli
from handlers.envelope import Envelope
from server import minting
from server.settings import Settings
from server.worker import compose
from storage import journal

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
Bouncemx = Callable[..., "Said"]


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings of this shell; and `serve` sets up the logs of its process."""
    for name in list(os.environ):
        if name.startswith("BOUNCEMX_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def bouncemx(
    clean_process: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Bouncemx:
    """bouncemx("captures", "--json", folder=...): the command as the console script runs it, in this process."""

    def run(*words: object, folder: Path | None = tmp_path / "data") -> Said:
        place = ["--data-dir", str(folder)] if folder else []
        monkeypatch.setattr(sys, "argv", ["bouncemx", *map(str, words), *place])
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            server.cli.main()
        out, err = capsysbinary.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0 if code is None else 1, out, err.decode())

    return run


NOTICE = """\
    From: Mail Delivery System <mailer-daemon@mx.example>
    To: {to}
    Subject: Unzustellbar: Grüße
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status; boundary="b"

    --b
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mx.example

    Final-Recipient: rfc822; ann@x.example
    Action: failed
    Status: 5.1.1
    Diagnostic-Code: smtp; 550 5.1.1 <ann@x.example>: Recipient address rejected: User unknown

    --b--
    """
PERSON = b"From: eve@x.example\r\nSubject: \xff\x00 hello\r\n\r\nbody \x85 \x9b2J \x0b\x0c\x1c\x7f\r\n"


@dataclass(frozen=True)
class Filled:
    """A data folder with a bounce and a person's mail stored, and one more that waits in the journal."""

    folder: Path
    minted: dict[str, Any]
    notice: bytes
    ids: tuple[int, int]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("filled")
    (folder / "bouncemx.toml").write_text('return_path_domain = "rp.example"\nauthenticate = false\n')
    settings = Settings(data_dir=folder)
    minted = minting.mint(settings, minting.Request(("ann@x.example",), "m1@sender.example", subject="News"))[0]
    notice = dedent(NOTICE).format(to=minted["return_path"]).replace("\n", "\r\n").encode()
    at = datetime(2026, 3, 4, tzinfo=UTC)
    to_us = Envelope("", (minted["return_path"],), "mx.example", "192.0.2.7", at)
    to_base = Envelope("eve@x.example", ("bounces@rp.example",), "mx.example", "192.0.2.7", at)
    with journal.Writer(settings.journal) as writer:
        first, second = writer.write([(to_us, notice), (to_base, PERSON)])
        with compose(settings) as worker:
            while worker.step():
                pass
    return Filled(folder, minted, notice, (first, second))


def commands() -> Iterator[tuple[str, Any]]:
    """The name and the command, of groups each of theirs."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield name, command
        for word, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{name} {word}".strip())

    yield from walk(get_command(server.cli.app), "")


COMMANDS = dict(commands())
# what a command needs beside its name
ARGUMENTS = {
    "mint": ["ann@x.example"],
    "inspect": ["."],
    "keys export": ["default"],
    "journal cat": ["1"],
    "explain": ["1"],
    "contact": ["ann@x.example"],
    "unbounce": ["ann@x.example", "--why", "mended"],
    "incidents release": ["1", "--why", "ours"],
    "incidents confirm": ["1", "--why", "theirs"],
    "import": [str(Path(__file__).with_name("addresses.csv"))],
    "export resend": ["--message", "m1@sender.example"],
    "erase": ["ann@x.example", "--why", "she asked"],
    "erasures": ["ann@x.example"],
    "link": ["1", "2", "--who", "Eve", "--why", "she said so"],
    "unlink": ["1", "--who", "Eve", "--why", "she said so"],
    "accounts add": ["shop"],
    "api-keys add": ["--operator"],
    "api-keys revoke": ["1"],
    "webhooks add": ["https://hooks.example.com/"],
    **{f"webhooks {word}": ["1"] for word in ("remove", "enable", "disable", "rotate", "history", "queue")},
    **{f"webhooks {word}": ["1"] for word in ("redeliver", "test")},
}
ENDLESS = {"serve"}
