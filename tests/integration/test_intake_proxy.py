"""The PROXY protocol: believed from trusted proxies, and from nobody else."""

import ipaddress
import struct

import pytest

from server import proxy
from tests.intake_fixture import Intake, StartIntake

PROXY = "127.0.0.9"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(block)) + block


def addresses(source: str) -> bytes:
    packed = ipaddress.ip_address(source).packed
    return packed + bytes(len(packed)) + struct.pack("!HH", 40000, 25)


TLV = b"\x04\0\x03abc"  # PP2_TYPE_NOOP
SAID = {
    "v1 TCP4": (b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 25\r\n", "192.0.2.7"),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 ::1 40000 25\r\n", "2001:db8::7"),
    "v1 mapped": (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:127.0.0.1 40000 25\r\n", "192.0.2.7"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", PROXY),
    "v1 UNKNOWN with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", PROXY),
    "v2 TCP4": (v2(1, 0x11, addresses("192.0.2.7")), "192.0.2.7"),
    "v2 TCP6": (v2(1, 0x21, addresses("2001:db8::7")), "2001:db8::7"),
    "v2 mapped": (v2(1, 0x21, addresses("::ffff:192.0.2.7")), "192.0.2.7"),
    "v2 with TLV": (v2(1, 0x11, addresses("192.0.2.7") + TLV), "192.0.2.7"),
    "v2 LOCAL": (v2(0, 0x00, b""), PROXY),
    "v2 LOCAL with addresses": (v2(0, 0x11, addresses("192.0.2.7")), PROXY),  # to be passed over
    "v2 UNIX": (v2(1, 0x31, b"/run/client".ljust(108, b"\0") + bytes(108)), PROXY),
    "v2 UNSPEC": (v2(1, 0x00, b""), PROXY),
}
GARBAGE = {
    "nothing": b"",
    "a session": b"EHLO client.example\r\n",
    "v1 without a word": b"PROXY\r\n",
    "v1 without addresses": b"PROXY TCP4\r\n",
    "v1 no addresses": b"PROXY TCP4 a b c d\r\n",
    "v1 of another family": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "v1 without CR": b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\n",
    "v1 without end": b"PROXY " + b"x" * 5000,
    "v1 too long": b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    "v2 cut": v2(1, 0x11, addresses("192.0.2.7"))[:-1],
    "v2 of version 3": SIGNATURE + b"\x31\x11\0\0",
    "v2 without addresses": v2(1, 0x11, b""),
    "v2 of an unknown command": v2(9, 0x11, addresses("192.0.2.7")),
}


async def trusting(start_intake: StartIntake, **limits: int) -> Intake:
    return await start_intake(trusted_proxies=(PROXY + "/32", "2001:db8::/32"), limits=limits)


@pytest.mark.parametrize("name", SAID)
async def test_a_trusted_proxy_says_who_the_client_is(start_intake: StartIntake, name: str) -> None:
    intake = await trusting(start_intake)
    said, address = SAID[name]
    client = await intake.connect(PROXY)
    await client.send(said[:7])
    await client.send(said[7:] + b"NOOP\r\n")  # what a client sends at once is behind it
    assert (await client.reply()).startswith("220 ")
    assert (await client.reply()).startswith("250 ")
    await client.until_data(intake.token)
    await client.send(b".\r\n")
    assert (await client.reply()).startswith("250 ")
    (mail,) = intake.captured()
    assert mail.envelope.client == address


@pytest.mark.parametrize("name", GARBAGE)
async def test_a_trusted_peer_that_is_no_proxy_is_told_nothing(start_intake: StartIntake, name: str) -> None:
    intake = await trusting(start_intake)
    client = await intake.connect(PROXY)
    await client.send(GARBAGE[name])
    client.writer.write_eof()
    assert await client.rest() == b""
    await intake.empty()
    assert intake.service.usage.connections == 0


async def test_a_silent_proxy_is_not_waited_for(start_intake: StartIntake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "_PATIENCE", 0.05)
    intake = await trusting(start_intake)
    assert await (await intake.connect(PROXY)).rest() == b""


async def test_nobody_else_can_pretend(start_intake: StartIntake) -> None:
    intake = await trusting(start_intake)
    client = await intake.connect("127.0.0.2")
    await client.send(SAID["v1 TCP4"][0])
    assert (await client.reply()).startswith("220 ")
    assert (await client.reply()).startswith("500 ")
    await client.until_data(intake.token)
    await client.send(b".\r\n")
    assert (await client.reply()).startswith("250 ")
    (mail,) = intake.captured()
    assert mail.envelope.client == "127.0.0.2"


async def test_the_client_is_counted_and_not_the_proxy(start_intake: StartIntake) -> None:
    intake = await trusting(start_intake, connections_per_address=1)

    async def greeting(address: str) -> str:
        client = await intake.connect(PROXY)
        await client.send(f"PROXY TCP4 {address} 127.0.0.1 1 25\r\n".encode())
        return await client.reply()

    found = [await greeting(address) for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")]
    assert [reply[:9] for reply in found] == ["220 mx.bo", "220 mx.bo", "421 4.7.0"]
