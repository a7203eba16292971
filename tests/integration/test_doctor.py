"""The doctor: each thing that can be wrong, as it is told."""

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from handlers.envelope import Envelope
from server import doctor
from server.doctor import Finding, examine
from server.rulebook import classifier
from storage import journal
from tests.dns_fixture import Zone

NOBODY = "127.0.0.1:9"  # nothing takes mail there


def found(folder: Path, check: str, smtp: str = NOBODY, **settings: str) -> Finding:
    """The finding of one check; settings as in TOML. No network: nobody answers DNS there."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o750)
    given = {"dns_servers": '["127.0.0.1"]', "dns_port": "9", **settings}
    (folder / "bouncemx.toml").write_text("\n".join(f"{name} = {value}" for name, value in given.items()))
    return look(folder, check, smtp)


def look(folder: Path, check: str, smtp: str = NOBODY) -> Finding:
    findings = [each for each in examine(folder, smtp) if each.check == check]
    assert len(findings) == 1
    return findings[0]


classifier_once = cache(classifier)


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody answers, nobody is waited for; our own rules are read once."""
    monkeypatch.setattr(doctor, "_SECONDS", 0.05)
    monkeypatch.setattr(doctor, "classifier", classifier_once)


def test_settings(tmp_path: Path) -> None:
    assert found(tmp_path, "settings").message == "return_path_domain is bounces.example.test"
    assert found(tmp_path, "settings", return_path_domain='"rp.example"').state == "ok"
    broken = found(tmp_path, "settings", profile='"x"')
    assert (broken.state, broken.message) == ("problem", "profile = 'x': it should be 'hubspot' or 'conservative'")
    assert [each.check for each in examine(tmp_path, NOBODY)] == ["settings"]


def test_rules(tmp_path: Path) -> None:
    wrong = found(tmp_path, "rules", rules=f'["{tmp_path}/none.toml"]')
    assert (wrong.state, "none.toml" in wrong.message) == ("problem", True)


def test_data_folder(tmp_path: Path) -> None:
    assert found(tmp_path / "data", "data folder") == Finding("data folder", "ok", str(tmp_path / "data"))
    (tmp_path / "data").chmod(0o755)
    opened = look(tmp_path / "data", "data folder")
    assert (opened.state, opened.advice) == ("warning", f"chmod o= {tmp_path}/data")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        (tmp_path / "file" / "data").mkdir()
    assert look(tmp_path / "file" / "data", "data folder").state == "problem"


def test_keys(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    assert found(tmp_path, "keys") == Finding("keys", "ok", f"the key of {today} signs")
    (tmp_path / "keys.json").chmod(0o644)
    assert "others may read or change it" in look(tmp_path, "keys").message
    (tmp_path / "keys.json").chmod(0o600)
    (tmp_path / "keys.json").write_text("{")
    assert look(tmp_path, "keys").state == "problem"
    assert (tmp_path / "keys.json").read_text() == "{"


def test_database(tmp_path: Path) -> None:
    assert found(tmp_path, "database") == Finding("database", "ok", str(tmp_path / "bouncemx.db"))
    (tmp_path / "bouncemx.db").write_bytes(b"not a database" * 100)
    broken = look(tmp_path, "database")
    assert (broken.state, "it is no SQLite database" in broken.message) == ("problem", True)


@pytest.mark.parametrize(("version", "told"), [((3, 51, 2), 1), ((3, 51, 3), 0), ((4, 0, 0), 0)])
def test_a_sqlite_with_the_wal_reset_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], told: int
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    found(tmp_path, "settings")
    assert [each.state for each in examine(tmp_path, NOBODY) if each.check == "SQLite"] == ["warning"] * told


def wait(folder: Path, minutes: float, mails: int = 2) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    with journal.Writer(folder / "journal") as writer:
        writer.write([(Envelope("", ("a@rp.example",), "mx", "192.0.2.7", at), b"Subject: x\r\n\r\n")] * mails)


def test_a_journal_that_waits(tmp_path: Path) -> None:
    assert found(tmp_path, "journal") == Finding("journal", "ok", "0 mails wait to be stored")
    wait(tmp_path, minutes=0)
    assert look(tmp_path, "journal") == Finding("journal", "ok", "2 mails wait to be stored")
    wait(tmp_path, minutes=5)
    late = look(tmp_path, "journal")
    assert late.state == "warning"
    assert late.message.startswith("4 mails wait, the oldest since 20")


def test_what_is_stored_does_not_wait(tmp_path: Path) -> None:
    found(tmp_path, "database")
    wait(tmp_path, minutes=5)
    with sqlite3.connect(tmp_path / "bouncemx.db") as connection:
        connection.execute("INSERT INTO position VALUES ('worker', ?)", (journal.committed(tmp_path / "journal"),))
    connection.close()
    assert look(tmp_path, "journal").message == "0 mails wait to be stored"


def test_a_journal_that_is_damaged(tmp_path: Path) -> None:
    found(tmp_path, "database")
    wait(tmp_path, minutes=0, mails=3)
    (segment,) = journal.segments(tmp_path / "journal")
    octets = bytearray(segment.path.read_bytes())
    octets[len(octets) // 2] ^= 1
    segment.path.write_bytes(octets)
    damaged = look(tmp_path, "journal")
    assert (damaged.state, damaged.message) == (
        "problem",
        f"{len(octets) // 3} octets are damaged and passed over",
    )


@pytest.mark.parametrize(("free", "state"), [(1 << 40, "ok"), (1 << 29, "warning"), ((4 << 20) - 1, "problem")])
def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(journal, "free_octets", lambda folder: free)
    assert found(tmp_path, "room").state == state


def test_dns(tmp_path: Path, zone: Zone) -> None:
    zone.add("rp.example. 60 IN MX 20 b.example.\nrp.example. 60 IN MX 10 a.example.")
    zone.add("null.example. 60 IN MX 0 .\nbare.example. 60 IN A 192.0.2.1")
    told = {
        domain: found(tmp_path, "DNS", return_path_domain=f'"{domain}"', dns_port=str(zone.port))
        for domain in ("rp.example", "null.example", "bare.example", "none.example", "bounces.example.test")
    }
    assert told["rp.example"] == Finding("DNS", "ok", "mail for rp.example goes to a.example, b.example")
    assert {domain: each.state for domain, each in told.items()} == {
        "rp.example": "ok",
        "null.example": "problem",
        "bare.example": "problem",
        "none.example": "problem",
        "bounces.example.test": "warning",
    }
    silent = found(tmp_path, "DNS")
    assert (silent.state, silent.message[:22]) == ("warning", "no DNS server answers ")


def certificate(folder: Path, days: float) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example")])
    end = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(end - timedelta(days=400))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "k.pem").write_bytes(pem)
    return {"tls_certificate": f'"{folder}/c.pem"', "tls_key": f'"{folder}/k.pem"'}


@pytest.mark.parametrize(
    ("days", "state", "told"),
    [
        (90.5, "ok", "it is valid for 90 days"),
        (3.5, "warning", "it is valid for 3 days"),
        (-1, "problem", "has expired"),
    ],
)
def test_a_certificate(tmp_path: Path, days: float, state: str, told: str) -> None:
    finding = found(tmp_path, "certificate", **certificate(tmp_path, days))
    assert finding.state == state
    assert told in finding.message


def test_no_certificate_and_one_that_is_none(tmp_path: Path) -> None:
    assert found(tmp_path, "certificate").state == "warning"
    assert found(tmp_path, "certificate", tls_required="true").state == "problem"
    files = certificate(tmp_path, 90)
    (tmp_path / "k.pem").write_text("nothing")
    assert found(tmp_path, "certificate", **files).state == "problem"


@contextmanager
def answering(octets: bytes) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(octets)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("octets", "state", "told"),
    [
        (b"220 mx.example ESMTP bouncemx\r\n", "ok", "says '220 mx.example ESMTP bouncemx'"),
        (b"554 no\r\n", "problem", "says '554 no'"),
        (b"\x1b[2J\xff", "problem", r"says '\x1b[2J\\xff'"),
        (b"", "problem", "says ''"),
    ],
)
def test_smtp(tmp_path: Path, octets: bytes, state: str, told: str) -> None:
    with answering(octets) as address:
        finding = found(tmp_path, "SMTP", smtp=address)
    assert finding.state == state
    assert told in finding.message


def test_nothing_answers(tmp_path: Path) -> None:
    finding = found(tmp_path, "SMTP")
    assert (finding.state, finding.message) == ("warning", f"nothing answers at {NOBODY} (Connection refused)")


def test_a_database_elsewhere_that_is_away(tmp_path: Path) -> None:
    away = found(tmp_path, "database", database_url='"sqlite:////nowhere/x.db"')
    assert (away.state, "cannot be opened" in away.message) == ("problem", True)
