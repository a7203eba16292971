"""Trouble with the disk, and trouble of our own: never a 5yz, never a word of it, and no restart to get over it."""

import errno
import resource
from collections.abc import Sequence
from pathlib import Path

import pytest

from handlers.envelope import Envelope
from handlers.recipients import Recipients
from server.data import Content
from storage import journal
from tests.intake_fixture import StartIntake, body, until

SECRET = "/var/lib/secret"
NO_SPACE = "452 4.3.1 Insufficient system storage, try again later"
INTERNAL = "451 4.3.0 Local trouble, try again later"


class Failing(journal.Writer):
    """Fails as long as it has an error."""

    error: Exception | None = None

    def write(self, batch: Sequence[tuple[Envelope, bytes]]) -> list[int]:
        if self.error:
            raise self.error
        return super().write(batch)


async def test_a_full_disk_is_told_before_the_mail_is_sent(
    start_intake: StartIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 0
    monkeypatch.setattr(journal, "free_octets", lambda folder: free)
    intake = await start_intake(limits={"reserve_octets": 1000})
    client = await intake.greeted()
    await client.ask("EHLO client.example")
    assert await client.ask("MAIL FROM:<>") == NO_SPACE
    free = 1000
    await until(lambda: intake.service.has_room(0))  # the disk is asked a few times a second
    assert await client.ask("MAIL FROM:<> SIZE=1") == NO_SPACE  # RFC 1870 6.1
    assert (await client.ask("MAIL FROM:<>")).startswith("250 ")
    assert (await client.ask(f"RCPT TO:<{intake.token}>")).startswith("250 ")
    free = 999
    await until(lambda: not intake.service.has_room(0))
    assert await client.ask("DATA") == NO_SPACE
    free = 1000
    await until(lambda: intake.service.has_room(0))
    assert (await client.ask("DATA")).startswith("354 ")


async def test_a_disk_that_is_filled_by_this_very_mail(start_intake: StartIntake) -> None:
    intake = await start_intake()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        assert await intake.deliver(b"x" * 200_000 + b"\r\n") == NO_SPACE
        assert (await intake.deliver(b"small\r\n")).startswith("250 ")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (await intake.deliver(b"y" * 200_000 + b"\r\n")).startswith("250 ")
    assert [body(mail)[:1] for mail in intake.captured()] == [b"s", b"y"]


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (OSError(errno.EIO, "Input/output error", SECRET), NO_SPACE),
        (PermissionError(errno.EACCES, "Permission denied", SECRET), NO_SPACE),
        (RuntimeError(SECRET), INTERNAL),
        (MemoryError(SECRET), INTERNAL),
    ],
)
async def test_a_commit_that_fails(start_intake: StartIntake, error: Exception, reply: str) -> None:
    intake = await start_intake(store=Failing)
    client = await intake.greeted()
    intake.writer.error = error
    await client.until_data(intake.token)
    await client.send(b"one\r\n.\r\n")
    assert await client.reply() == reply
    intake.writer.error = None
    await client.until_data(intake.token)  # in the same session
    await client.send(b"two\r\n.\r\n")
    assert (await client.reply()).startswith("250 ")
    assert [body(mail) for mail in intake.captured()] == [b"two\r\n"]
    assert intake.service.usage._in_flight == 0


async def test_a_fault_of_ours_in_a_command(start_intake: StartIntake, monkeypatch: pytest.MonkeyPatch) -> None:
    intake = await start_intake()
    client = await intake.greeted()
    await client.ask("HELO client.example")
    await client.ask("MAIL FROM:<>")

    def broken(self: Recipients, path: object) -> None:
        raise RuntimeError(SECRET)

    with monkeypatch.context() as patch:
        patch.setattr(Recipients, "decide", broken)
        assert await client.ask(f"RCPT TO:<{intake.token}>") == INTERNAL
    assert (await client.ask(f"RCPT TO:<{intake.token}>")).startswith("250 ")


async def test_a_fault_of_ours_in_the_session(start_intake: StartIntake, monkeypatch: pytest.MonkeyPatch) -> None:
    intake = await start_intake()
    monkeypatch.setattr(type(intake.service.usage), "connect", lambda self, address: 1 // 0)
    client = await intake.connect()
    assert await client.rest() == INTERNAL.encode() + b"\r\n"
    await intake.empty()


async def test_a_fault_in_the_middle_of_a_mail_ends_the_session(
    start_intake: StartIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What still comes of the mail must not be read as commands."""

    def broken(self: Content, chunk: bytes) -> None:
        raise ValueError(SECRET)

    intake = await start_intake()
    client = await intake.greeted()
    await client.until_data(intake.token)
    monkeypatch.setattr(Content, "feed", broken)
    await client.send(b"Subject: x\r\n\r\nNOOP\r\nNOOP\r\n")
    assert await client.rest() == INTERNAL.encode() + b"\r\n"
    assert intake.service.usage._in_flight == 0


async def test_a_journal_folder_that_goes_away_and_comes_back(start_intake: StartIntake, tmp_path: Path) -> None:
    intake = await start_intake(store=lambda folder: journal.Writer(folder, segment_octets=1))
    assert (await intake.deliver(b"one\r\n")).startswith("250 ")
    away = tmp_path / "away"
    intake.settings.journal.rename(away)
    assert await intake.deliver(b"two\r\n") == NO_SPACE
    away.rename(intake.settings.journal)
    assert (await intake.deliver(b"three\r\n")).startswith("250 ")
    assert [body(mail) for mail in intake.captured()] == [b"one\r\n", b"three\r\n"]
