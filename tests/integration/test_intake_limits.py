"""What one client may take of the intake, and what all may."""

import asyncio
import socket

import pytest

from tests.intake_fixture import DOMAIN, PATIENCE, Gated, Intake, StartIntake, minted, until

MIB = 1 << 20


async def greeting(intake: Intake, source: str) -> str:
    return (await (await intake.connect(source)).reply())[:9]


@pytest.mark.parametrize(
    ("limit", "sources"),
    [
        ("connections_per_address", ["127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3"]),
        ("connections_per_network", ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.1.1"]),
    ],
)
async def test_connections_of_one_party(start_intake: StartIntake, limit: str, sources: list[str]) -> None:
    intake = await start_intake(limits={limit: 2})
    assert [await greeting(intake, source) for source in sources] == [
        "220 mx.bo",
        "220 mx.bo",
        "421 4.7.0",
        "220 mx.bo",
    ]


async def test_connections_of_all_and_who_leaves_makes_room(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"connections": 2})
    first = await intake.greeted("127.0.0.2")
    await intake.greeted("127.0.0.3")
    refused = await intake.connect("127.0.0.4")
    assert await refused.rest() == b"421 4.7.0 Too many connections, try again later\r\n"
    first.abort()
    await until(lambda: intake.service.usage.connections < 2)
    assert await greeting(intake, "127.0.0.4") == "220 mx.bo"


async def test_a_guesser_is_alone_in_being_sent_away(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"guesses": 2})
    forged = minted(intake.settings.data_dir)["forged"]
    guesser = await intake.greeted("127.0.0.2")
    await guesser.ask("HELO client.example")
    await guesser.ask("MAIL FROM:<>")
    assert (await guesser.ask(f"RCPT TO:<{forged}@{DOMAIN}>")).startswith("550 ")
    assert (await guesser.ask(f"RCPT TO:<{forged}@{DOMAIN}>")).startswith("421 4.7.0 ")
    assert await guesser.rest() == b""
    assert await greeting(intake, "127.0.0.2") == "421 4.7.0"
    assert (await intake.deliver(b"x\r\n", "127.0.0.3")).startswith("250 ")


async def test_mail_in_flight_has_its_share_of_memory(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"in_flight_octets": MIB})
    first, second = [await intake.greeted() for _ in range(2)]
    await first.until_data(intake.token)
    await second.until_data(intake.token)
    await first.send(b"x" * (MIB - (200 << 10)))
    await until(lambda: intake.service.usage._in_flight > MIB - (150 << 10))
    await second.send(b"y" * (300 << 10) + b"\r\n.\r\n")
    assert await second.reply() == "452 4.3.1 Too much mail at once, try again later"
    await first.send(b"\r\n.\r\n")
    assert (await first.reply()).startswith("250 ")
    await second.until_data(intake.token)  # the same session again
    await second.send(b"y" * (300 << 10) + b"\r\n.\r\n")
    assert (await second.reply()).startswith("250 ")
    assert len(intake.captured()) == 2
    assert intake.service.usage._in_flight == 0


async def test_no_mail_is_begun_without_memory_for_it(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"in_flight_octets": MIB})
    first, second = [await intake.greeted() for _ in range(2)]
    await first.until_data(intake.token)
    await first.send(b"x" * (MIB - 100))
    await until(lambda: intake.service.usage._in_flight >= MIB - 100)
    for command in ("HELO client.example", "MAIL FROM:<>", f"RCPT TO:<{intake.token}>"):
        assert (await second.ask(command)).startswith("250 ")
    assert (await second.ask("DATA")).startswith("452 4.3.1 ")
    first.abort()
    await until(lambda: not intake.service.usage._in_flight)
    assert (await second.ask("DATA")).startswith("354 ")


async def test_a_mail_whose_client_left_is_in_memory_until_it_is_written(start_intake: StartIntake) -> None:
    intake = await start_intake(store=Gated)
    client = await intake.greeted()
    await client.until_data(intake.token)
    await client.send(b"x" * MIB + b"\r\n.\r\n")
    await asyncio.to_thread(intake.writer.begun.wait, PATIENCE)
    client.reset()
    await intake.empty()
    assert intake.service.usage._in_flight > MIB
    intake.writer.may_write.set()
    await until(lambda: not intake.service.usage._in_flight)
    assert len(intake.captured()) == 1  # and it was stored, once


async def test_a_client_that_reads_no_replies_is_cut(start_intake: StartIntake) -> None:
    intake = await start_intake(limits={"idle_timeout": 0.3, "idle_commands": 10**6, "connections": 1})
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", intake.port))
        sending = asyncio.ensure_future(loop.sock_sendall(client, b"EHLO client.example\r\n" * 200_000))
        await until(lambda: bool(intake.service.sessions))
        (session,) = intake.service.sessions
        held: list[int] = []

        def is_over() -> bool:
            transport = session.transport  # type: ignore[attr-defined]
            held.append(transport.get_write_buffer_size() if transport else 0)
            return not intake.service.sessions

        await until(is_over)
        sending.cancel()
    assert 0 < max(held) < MIB
    assert intake.service.usage.connections == 0
