"""A stop: mail that is being sent is taken, everybody else is told to come again."""

import asyncio

from server import intake as intake_module
from tests.intake_fixture import PATIENCE, Gated, Intake, StartIntake, body

STOPPING = b"421 4.3.2 Service is stopping, try again later\r\n"


async def drained(intake: Intake, patience: float = PATIENCE) -> None:
    async with asyncio.timeout(PATIENCE):
        await intake_module.drain(intake.service, patience)


async def test_idle_sessions_are_sent_away(start_intake: StartIntake) -> None:
    intake = await start_intake()
    clients = [await intake.greeted() for _ in range(3)]
    await clients[1].ask("HELO client.example")
    await clients[2].ask("HELO client.example")
    await clients[2].ask("MAIL FROM:<>")
    await drained(intake)
    assert [await client.rest() for client in clients] == [STOPPING] * 3


async def test_a_busy_session_finishes_its_mail(start_intake: StartIntake) -> None:
    intake = await start_intake()
    client, idle = await intake.greeted(), await intake.greeted()
    await client.until_data(intake.token)
    await client.send(b"first half\r\n")
    draining = asyncio.ensure_future(drained(intake))
    assert await idle.rest() == STOPPING
    assert not draining.done()
    await client.send(b"second half\r\n.\r\n")
    assert (await client.reply()).startswith("250 ")
    assert await client.rest() == STOPPING
    await draining
    assert [body(mail) for mail in intake.captured()] == [b"first half\r\nsecond half\r\n"]


async def test_a_client_that_always_has_one_more_does_not_hold_up_the_stop(start_intake: StartIntake) -> None:
    intake = await start_intake(store=Gated)
    client = await intake.greeted()
    await client.until_data(intake.token)
    again = f"MAIL FROM:<>\r\nRCPT TO:<{intake.token}>\r\nDATA\r\ntwo\r\n.\r\n"
    await client.send(b"one\r\n.\r\n" + again.encode())
    await asyncio.to_thread(intake.writer.begun.wait, PATIENCE)
    draining = asyncio.ensure_future(drained(intake))
    await asyncio.sleep(0)
    intake.writer.may_write.set()
    assert (await client.reply()).startswith("250 ")
    assert await client.rest() == STOPPING
    await draining
    assert [body(mail) for mail in intake.captured()] == [b"one\r\n"]


async def test_whoever_takes_too_long_is_cut(start_intake: StartIntake) -> None:
    intake = await start_intake()
    client = await intake.greeted()
    await client.until_data(intake.token)
    await drained(intake, 0.05)
    assert await client.rest() == b""
    assert not intake.service.sessions
    assert intake.captured() == []


async def test_whoever_comes_late_is_sent_away(start_intake: StartIntake) -> None:
    intake = await start_intake()
    busy = await intake.greeted()
    await busy.until_data(intake.token)
    draining = asyncio.ensure_future(drained(intake))
    await asyncio.sleep(0)
    assert await (await intake.connect()).rest() == STOPPING
    busy.abort()
    await draining
