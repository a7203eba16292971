"""SMTP talks as text, one file a case, against a running intake. README.md has the format."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.intake_fixture import Client, Intake, StartIntake, body, minted

FILES = sorted(Path(__file__).parent.glob("*.smtp"))
_STEP = re.compile(r"(?:x(\d+) )?([CS][:!]|[a-z-]+)(?: (.*))?")
_REPEATED = re.compile(r"\{([^{}]+)\*(\d+)\}")
_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|[rnt0\\])")
_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
async def test_dialogue(path: Path, start_intake: StartIntake, tmp_path: Path) -> None:
    script = Script.read(path, minted(tmp_path))
    talk = Talk(await start_intake(**script.settings))
    for number, times, verb, text in script.steps:
        for _ in range(times):
            try:
                await talk.STEPS[verb](talk, text)
            except AssertionError as error:
                raise AssertionError(f"{path.name}:{number}: {error}") from None
    await talk.end()


@dataclass(slots=True)
class Script:
    """A file, its placeholders filled in."""

    settings: dict[str, Any] = field(default_factory=dict)
    steps: list[tuple[int, int, str, str]] = field(default_factory=list)  # line, times, verb, text

    @classmethod
    def read(cls, path: Path, names: dict[str, str]) -> "Script":
        script = cls()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            match = _STEP.fullmatch(line)
            assert match, f"{path.name}:{number}: {line}"
            text = _filled(match[3] or "", names)
            if match[2] == "set":
                script._set(*text.split(" ", 1))
            else:
                assert match[2] in Talk.STEPS, f"{path.name}:{number}: {line}"
                script.steps.append((number, int(match[1] or 1), match[2], text))
        return script

    def _set(self, name: str, value: str) -> None:
        if name.startswith("limits."):
            self.settings.setdefault("limits", {})[name.removeprefix("limits.")] = value
        else:
            self.settings[name] = (value,) if name.endswith("es") else value


class Talk:
    """Does the steps of one file."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.client: Client | None = None
        self.captured = 0

    async def connected(self) -> Client:
        if self.client is None:
            self.client = await self.intake.connect()
        return self.client

    async def command(self, text: str) -> None:
        await (await self.connected()).send(_octets(text) + b"\r\n")

    async def octets(self, text: str) -> None:
        await (await self.connected()).send(_octets(text))

    async def reply(self, pattern: str) -> None:
        line = await (await self.connected()).line()
        assert _matches(pattern, line), f"wanted {pattern!r}, got {line!r}"

    async def connect(self, text: str) -> None:
        """Another connection; the one before must have said all that the file has of it."""
        await self.half_close("")
        await self.closed("")
        self.client = await self.intake.connect()

    async def half_close(self, text: str) -> None:
        client = await self.connected()
        if not client.writer.is_closing() and client.writer.can_write_eof():
            client.writer.write_eof()

    async def closed(self, text: str) -> None:
        rest = await (await self.connected()).rest()
        assert rest == b"", f"the server said {rest!r} before it closed"

    async def close(self, text: str) -> None:
        """The client goes away at once."""
        (await self.connected()).abort()
        await self.intake.empty()

    async def count(self, text: str) -> None:
        """How many mails are in the journal now, and when the file is over."""
        self.captured = int(text)
        assert len(self.intake.captured()) == self.captured

    async def stored(self, text: str) -> None:
        """What the last captured mail is, behind our Received field."""
        assert body(self.intake.captured()[-1]) == _octets(text)

    async def envelope(self, text: str) -> None:
        """A field of the last captured mail's envelope, as str() has it."""
        name, _, value = text.partition(" ")
        found = getattr(self.intake.captured()[-1].envelope, name)
        assert (" ".join(found) if isinstance(found, tuple) else str(found)) == _octets(value).decode()

    async def end(self) -> None:
        """Nothing may come that the file does not have, and nothing may be captured."""
        client = await self.connected()
        if not client.writer.is_closing():
            await self.half_close("")
            await self.closed("")
        await self.intake.empty()
        assert len(self.intake.captured()) == self.captured

    STEPS: dict[str, Callable[["Talk", str], Awaitable[None]]] = {  # noqa: RUF012 - a table
        "C:": command,
        "C!": octets,
        "S:": reply,
        "connect": connect,
        "half-close": half_close,
        "closed": closed,
        "close": close,
        "captured": count,
        "stored": stored,
        "envelope": envelope,
    }


def _filled(text: str, names: dict[str, str]) -> str:
    text = _REPEATED.sub(lambda match: match[1] * int(match[2]), text)
    return re.sub(r"\{([a-z0-9_]+)\}", lambda match: names[match[1]], text)


def _octets(text: str) -> bytes:
    def octet(match: re.Match[bytes]) -> bytes:
        escape = match[1]
        return bytes([int(escape[1:], 16)]) if escape[:1] == b"x" and len(escape) == 3 else _ESCAPES[escape]

    return _ESCAPE.sub(octet, text.encode())


def _matches(pattern: str, line: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), line) is not None


def test_there_are_dialogues() -> None:
    assert len(FILES) > 40
