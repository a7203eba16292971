"""Deadlines: whoever makes no progress, or takes too long, is told so and sent away."""

import asyncio
import contextlib
import socket

import pytest

from tests.intake_fixture import PATIENCE, Intake, StartIntake

TIMEOUT = b"421 4.4.2 Timeout, closing\r\n"
SHORT = 0.1


async def dripping(intake: Intake, first: str) -> bytes:
    """What the server says to a client that sends this, and then an octet now and then for ever.

    A plain socket: one that can't send any more can still be read.
    """
    loop = asyncio.get_running_loop()
    said = bytearray()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", intake.port))
        await loop.sock_sendall(client, first.encode())

        async def drip() -> None:
            while True:
                await loop.sock_sendall(client, b"x")
                await asyncio.sleep(0.005)

        sending = asyncio.ensure_future(drip())
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while octets := await loop.sock_recv(client, 4096):
                    said += octets
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return bytes(said)


async def test_silence(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"idle_timeout": SHORT})
    client = await intake.greeted()
    assert await client.rest() == TIMEOUT
    await intake.empty()


async def test_half_a_command_is_no_progress(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"idle_timeout": SHORT})
    said = await dripping(intake, "NOOP")
    assert said.startswith(b"220 ")
    assert said.endswith(b"bouncemx\r\n" + TIMEOUT)


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
    said = await dripping(intake, f"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<{intake.token}>\r\nDATA\r\n")
    assert said.endswith(TIMEOUT)
    await intake.empty()
    assert intake.captured() == []


async def test_a_session_that_never_ends(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"session_timeout": SHORT, "idle_commands": 10**6})
    client = await intake.greeted()
    with contextlib.suppress(ConnectionError):
        while (reply := await client.ask("NOOP")).startswith("250 "):
            pass
    assert reply.encode() + b"\r\n" == TIMEOUT


async def test_the_deadline_of_a_mail_that_is_over_is_none(start_intake: StartIntake) -> None:
    intake = await start_intake()
    client = await intake.greeted()
    await client.until_data(intake.token)
    (session,) = intake.service.sessions
    assert session.deadlines._data_ends is not None  # type: ignore[attr-defined]
    await client.send(b".\r\n")
    assert (await client.reply()).startswith("250 ")
    assert session.deadlines._data_ends is None  # type: ignore[attr-defined]
