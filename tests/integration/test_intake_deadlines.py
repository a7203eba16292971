"""Deadlines: whoever makes no progress, or takes too long, is told so and sent away."""

import asyncio
import contextlib

import pytest

from tests.intake_fixture import Client, StartIntake

TIMEOUT = b"421 4.4.2 Timeout, closing\r\n"
SHORT = 0.1


async def drip(client: Client) -> None:
    """An octet now and then, for ever."""
    with contextlib.suppress(ConnectionError):
        while True:
            await client.send(b"x")
            await asyncio.sleep(0.005)


async def test_silence(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"idle_timeout": SHORT})
    client = await intake.greeted()
    assert await client.rest() == TIMEOUT
    await intake.empty()


async def test_half_a_command_is_no_progress(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"idle_timeout": SHORT})
    client = await intake.greeted()
    dripping = asyncio.ensure_future(drip(client))
    assert await client.rest() == TIMEOUT
    dripping.cancel()


async def test_silence_within_a_mail(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"idle_timeout": SHORT})
    client = await intake.greeted()
    await client.until_data(intake.token)
    assert await client.rest() == TIMEOUT
    await intake.empty()
    assert intake.captured() == []
    assert intake.service.usage._in_flight == 0


@pytest.mark.parametrize("limit", ["data_timeout", "session_timeout"])
async def test_a_mail_that_never_ends(start_intake: StartIntake, limit: str) -> None:
    # both are shorter than idle_timeout, and still kept
    intake = await start_intake(limits={limit: SHORT})
    client = await intake.greeted()
    await client.until_data(intake.token)
    dripping = asyncio.ensure_future(drip(client))
    assert await client.rest() == TIMEOUT
    dripping.cancel()
    await intake.empty()
    assert intake.captured() == []


async def test_a_session_that_never_ends(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"session_timeout": SHORT, "idle_commands": 10**6})
    client = await intake.greeted()
    with contextlib.suppress(ConnectionError):
        while (reply := await client.ask("NOOP")).startswith("250 "):
            pass
    assert reply.encode() + b"\r\n" == TIMEOUT


async def test_a_mail_has_a_deadline_of_its_own(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"data_timeout": SHORT})
    client = await intake.greeted()
    await client.until_data(intake.token)
    await client.send(b".\r\n")
    assert (await client.reply()).startswith("250 ")
    await asyncio.sleep(2 * SHORT)  # the deadline of a mail that is over is none
    assert (await client.ask("NOOP")).startswith("250 ")
