"""STARTTLS: what is said in clear counts for nothing inside, and a handshake that fails leaves nothing behind."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server import intake as intake_module
from server.settings import UserError
from server.tls import Certificate
from tests.intake_fixture import HOSTNAME, PATIENCE, Client, Intake, StartIntake, body

Files = dict[str, Path]


def write_certificate(folder: Path) -> Files:
    """A self-signed certificate and its key, as the settings want them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOSTNAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = {"tls_certificate": folder / "cert.pem", "tls_key": folder / "key.pem"}
    files["tls_certificate"].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files["tls_key"].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return write_certificate(tmp_path)


async def in_handshake(intake: Intake) -> Client:
    client = await intake.greeted()
    await client.ask("EHLO client.example")
    assert (await client.ask("STARTTLS")).startswith("220 2.0.0 ")
    return client


def presented(client: Client) -> bytes | None:
    found: ssl.SSLObject = client.writer.get_extra_info("ssl_object")
    return found.getpeercert(binary_form=True)


async def test_a_mail_over_tls(start_intake: StartIntake, files: Files) -> None:
    intake = await start_intake(**files)
    client = await intake.greeted()
    assert "STARTTLS" in await client.ask("EHLO client.example")
    assert (await client.ask("MAIL FROM:<>")).startswith("250")
    await client.start_tls()
    # RFC 3207 4.2: what was said before is forgotten
    assert await client.ask("MAIL FROM:<>") == "503 5.5.1 Send EHLO first"
    assert "STARTTLS" not in await client.ask("EHLO client.example")
    assert (await client.ask("STARTTLS")).startswith("503 5.5.1 ")
    await client.until_data(intake.token)
    await client.send(b"Subject: x\r\n\r\n.\r\n")
    assert (await client.reply()).startswith("250 2.0.0 ")
    assert (await client.ask("QUIT")).startswith("221 ")
    assert await client.rest() == b""
    (mail,) = intake.captured()
    assert body(mail) == b"Subject: x\r\n\r\n"
    assert (mail.envelope.protocol, (mail.envelope.tls or "")[:7]) == ("ESMTPS", "TLSv1.3")
    assert b" with ESMTPS (TLSv1.3 TLS_" in mail.raw


async def test_commands_in_clear_behind_starttls_are_forgotten(start_intake: StartIntake, files: Files) -> None:
    # CVE-2011-0411
    intake = await start_intake(**files)
    client = await intake.greeted()
    await client.ask("EHLO client.example")
    await client.send(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<postmaster>\r\n")
    assert (await client.reply()).startswith("220 ")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(PATIENCE):
        try:
            await client.writer.start_tls(context)
        except (ssl.SSLError, ConnectionError):
            return  # the octets fell into the handshake, which is as good
    assert (await client.ask("DATA")).startswith("503 ")
    assert (await client.ask("QUIT")).startswith("221 ")
    assert await client.rest() == b""


Spoil = Callable[[Client], None]
FAILING: dict[str, Spoil] = {
    "garbage": lambda client: client.writer.write(b"EHLO client.example\r\n" * 20),
    "half a record": lambda client: client.writer.write(b"\x16\x03\x01\x02\x00\x01"),
    "end": lambda client: client.writer.write_eof(),
    "reset": lambda client: client.abort(),
    "alert": lambda client: client.writer.write(b"\x15\x03\x01\x00\x02\x02\x28"),
    "silence": lambda client: None,
}


@pytest.mark.parametrize("how", FAILING)
async def test_a_failed_handshake_gives_everything_back(start_intake: StartIntake, files: Files, how: str) -> None:
    intake = await start_intake(limits={"idle_timeout": 0.3, "connections": 1}, **files)
    client = await in_handshake(intake)
    FAILING[how](client)
    await intake.empty()
    assert intake.service.usage.connections == 0
    await (await intake.greeted()).start_tls()


async def test_a_drain_ends_a_handshake(start_intake: StartIntake, files: Files) -> None:
    intake = await start_intake(**files)
    client = await in_handshake(intake)
    async with asyncio.timeout(PATIENCE):
        await intake_module.drain(intake.service, PATIENCE)
    assert await client.rest() == b""
    assert not intake.service.sessions


async def test_a_new_certificate_is_for_new_sessions(start_intake: StartIntake, files: Files, tmp_path: Path) -> None:
    intake = await start_intake(**files)
    before = await intake.greeted()
    await before.start_tls()
    write_certificate(tmp_path)
    intake.service.tls.reload()
    after = await intake.greeted()
    await after.start_tls()
    assert presented(after) != presented(before)
    assert (await before.ask("NOOP")).startswith("250 ")
    files["tls_key"].write_text("no key")
    intake.service.tls.reload()
    broken = await intake.greeted()
    await broken.start_tls()
    assert presented(broken) == presented(after)


def test_a_certificate_that_is_none_is_told_at_the_start(files: Files) -> None:
    files["tls_key"].write_text("no key")
    with pytest.raises(UserError, match=r"key\.pem"):
        Certificate(files["tls_certificate"], files["tls_key"])
    with pytest.raises(UserError, match="none"):
        Certificate(files["tls_certificate"].with_name("none"), files["tls_key"])
    assert Certificate(None, None).context is None


async def test_tls_can_be_required(start_intake: StartIntake, files: Files) -> None:
    intake = await start_intake(tls_required=True, **files)
    client = await intake.greeted()
    await client.ask("EHLO client.example")
    assert await client.ask("MAIL FROM:<>") == "530 5.7.0 Send STARTTLS first"
    await client.start_tls()
    await client.until_data(intake.token)
