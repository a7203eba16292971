"""Looks at everything that bouncemx needs, and says what is wrong and what to do about it."""

import os
import socket
import sqlite3
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dns.resolver import NoResolverConfiguration

from handlers.ports import LookupFailed, NoSuchName
from server import settings as settings_of
from server import sockets
from server.resolver import DnsResolver
from server.rulebook import classifier
from server.settings import Settings, UserError
from server.tls import Certificate
from storage import database, journal, positions
from storage.database import Database, DatabaseUnusable
from storage.keyring import KeyFileBroken, open_or_create

OK, WARNING, PROBLEM = "ok", "warning", "problem"

_FIXED_SQLITE = (3, 51, 3)
_WAITING_SECONDS = 60  # a worker that runs takes a mail at once
_ROOM = 1 << 30
_CERTIFICATE_DAYS = 14
_SECONDS = 3.0  # for an answer of the network


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look showed."""

    check: str
    state: str  # OK, WARNING or PROBLEM
    message: str
    advice: str = ""


def examine(data_dir: Path, smtp: str) -> Iterator[Finding]:
    """Every finding about this data folder and the intake at HOST:PORT; creates and migrates what is missing."""
    try:
        settings = settings_of.load(data_dir)
    except (UserError, OSError) as error:
        yield Finding("settings", PROBLEM, str(error), "see docs/settings.md; the rest can be looked at afterwards")
        return
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _settings, _data_folder, _keys, _database, _journal, _dns, _certificate, lambda _: _smtp(smtp),
    )  # fmt: skip
    for check in checks:
        yield from check(settings)


def _settings(settings: Settings) -> Iterator[Finding]:
    default = Settings.model_fields["return_path_domain"].default
    if settings.return_path_domain == default:
        yield Finding("settings", WARNING, f"return_path_domain is {default}", "set the domain whose MX this is")
    else:
        yield Finding("settings", OK, f"return paths are at {settings.return_path_domain}")
    try:
        classifier(settings.rules, settings.profile)
    except (UserError, OSError) as error:
        yield Finding("rules", PROBLEM, str(error), "mend the rule file, and try it with `bouncemx rules check`")


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        yield Finding("data folder", PROBLEM, f"{folder}: {error.strerror}", "give --data-dir a folder of this user")
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("data folder", PROBLEM, f"{folder} is not this user's to write", "change its owner or mode")
    elif mode & 0o007:
        yield Finding("data folder", WARNING, f"{folder} is open to every user", f"chmod o= {folder}")
    else:
        yield Finding("data folder", OK, str(folder))


def _keys(settings: Settings) -> Iterator[Finding]:
    try:
        ring = open_or_create(settings.data_dir)
    except (KeyFileBroken, OSError) as error:
        yield Finding("keys", PROBLEM, str(error), "without its keys every bounce is refused as forged")
        return
    created = ring.masters[ring.active].created.date()
    others = len(ring.masters) - 1
    yield Finding("keys", OK, f"the key of {created} signs" + (f", {others} before it verify" if others else ""))


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        url = database.locate(settings.database_url, settings.data_dir)
        database.migrate(url)
        with Database(url) as db, db.reader() as connection:
            positions.get(connection, "worker")
    except DatabaseUnusable as unusable:
        yield Finding("database", PROBLEM, str(unusable))
        return
    yield Finding("database", OK, database.shown(url))
    if url.drivername == "sqlite" and sqlite3.sqlite_version_info < _FIXED_SQLITE:
        yield Finding(
            "SQLite",
            WARNING,
            f"version {sqlite3.sqlite_version} has the WAL-reset bug (sqlite.org/wal.html)",
            "bouncemx works around it; let no other program write to the database, or install 3.51.3 or later",
        )


def _journal(settings: Settings) -> Iterator[Finding]:
    try:
        yield _backlog(settings)
    except OSError as error:
        yield Finding("journal", PROBLEM, f"{error.filename or settings.journal}: {error.strerror}", "change its mode")
    place = settings.journal if settings.journal.is_dir() else settings.data_dir
    free = journal.free_octets(place)
    room = f"{free / (1 << 20):.0f} MiB are free for the journal"
    if free < settings.limits.reserve_octets:
        yield Finding("room", PROBLEM, room, "mail is refused for now (452): free some space")
    else:
        yield Finding("room", OK if free >= _ROOM else WARNING, room)


def _backlog(settings: Settings) -> Finding:
    reader = journal.Reader(settings.journal, _position(settings))
    waiting, oldest = 0, datetime.now(UTC)
    try:
        for found in reader.frames():
            reader.position = found.end
            waiting += 1
            oldest = min(oldest, found.mail.envelope.received_at)
    finally:
        reader.close()
    if reader.skipped_octets:
        told = f"{reader.skipped_octets} octets are damaged and passed over"
        return Finding("journal", PROBLEM, told, f"keep a copy of {settings.journal}, and look at the disk")
    if (datetime.now(UTC) - oldest).total_seconds() > _WAITING_SECONDS:
        told = f"{waiting} mails wait, the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
        return Finding("journal", WARNING, told, "is the worker running? Its log says what it waits for")
    return Finding("journal", OK, f"{waiting} mails wait to be stored")


def _position(settings: Settings) -> int:
    try:
        url = database.locate(settings.database_url, settings.data_dir)
        with Database(url) as db, db.reader() as connection:
            return positions.get(connection, "worker") or 0
    except DatabaseUnusable:
        return 0


def _dns(settings: Settings) -> Iterator[Finding]:
    domain = settings.return_path_domain
    hint = f"an MX record of {domain} must name this host, see docs/deploy.md"
    try:
        hosts = DnsResolver(settings.dns_servers, settings.dns_port).mx(domain, _SECONDS)
    except NoSuchName:
        unset = domain == Settings.model_fields["return_path_domain"].default
        yield Finding("DNS", WARNING if unset else PROBLEM, f"{domain} does not exist", hint)
    except (LookupFailed, NoResolverConfiguration) as error:
        yield Finding("DNS", WARNING, f"no DNS server answers for {domain}: {error}", hint)
    else:
        names = ", ".join(host for _, host in sorted(hosts) if host != ".")  # a null MX takes no mail, RFC 7505
        yield (
            Finding("DNS", OK, f"mail for {domain} goes to {names}")
            if names
            else Finding("DNS", PROBLEM, f"{domain} has no MX record", hint)
        )


def _certificate(settings: Settings) -> Iterator[Finding]:
    if not settings.tls_certificate:
        state = PROBLEM if settings.tls_required else WARNING
        yield Finding(
            "certificate", state, "there is none: mail comes in clear text", "set tls_certificate and tls_key"
        )
        return
    try:
        context = Certificate(settings.tls_certificate, settings.tls_key).context
        assert context is not None  # noqa: S101 - there is one where files are given
        ends = _end_of(context, settings.tls_certificate)
    except (UserError, OSError) as error:  # ssl.SSLError is one
        yield Finding("certificate", PROBLEM, str(error), "renew it, then `systemctl reload` or SIGHUP")
        return
    days = (ends - datetime.now(UTC)).days
    state = OK if days >= _CERTIFICATE_DAYS else WARNING
    yield Finding("certificate", state, f"it is valid for {days} days", "renew it" if state == WARNING else "")


def _end_of(server: ssl.SSLContext, certificate: Path) -> datetime:
    """When the certificate ends. Raises ssl.SSLError where it has: shakes hands with itself, in memory."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there)
    served = server.wrap_bio(there, back, server_side=True)
    for side in (client, served, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    told = (client.getpeercert() or {})["notAfter"]
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told)), UTC)


def _smtp(address: str) -> Iterator[Finding]:
    host, port = sockets.split(address)
    try:
        with socket.create_connection((host or "127.0.0.1", port), _SECONDS) as connection:
            greeting = connection.recv(512).decode("ascii", "backslashreplace").strip()
    except OSError as error:
        told = f"nothing answers at {address} ({error.strerror or error})"
        yield Finding("SMTP", WARNING, told, "start `bouncemx serve`, or say where it listens with --smtp")
        return
    state = OK if greeting.startswith("220 ") else PROBLEM  # RFC 5321 4.2
    yield Finding("SMTP", state, f"{address} says {greeting!r}", "" if state == OK else "see the log of the intake")
