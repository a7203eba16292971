"""The database: one SQLite file in the data folder, or PostgreSQL. Transactions, pragmas, errors in plain words.

SQLite in WAL mode takes one writer at a time; every writer begins IMMEDIATE, since a transaction that turns from
reader to writer fails under load. Only the worker checkpoints: SQLite before 3.51.3 can damage the file when two
connections write and checkpoint at once (sqlite.org/wal.html, "the WAL-reset bug").
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError

from storage import columns, jsontext

FILE_NAME = "bouncemx.db"
_BUSY_SECONDS = 10
_MAPPED = 1 << 30  # octets of the file; what is beyond them is read
_MIGRATION_LOCK = 0x626F756E6365  # a number of our own for pg_advisory_xact_lock


class DatabaseUnusable(Exception):
    """The database cannot be used now; the text names what is wrong and the way out."""


def locate(database_url: str | None, data_dir: Path) -> URL:
    """Where the database is: `database_url`, or bouncemx.db in the data folder. Raises DatabaseUnusable."""
    if not database_url:
        return URL.create("sqlite", database=str(data_dir / FILE_NAME))
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise DatabaseUnusable(
            "database_url is no URL: write postgresql://user@host/name, sqlite:////path/to/file, or leave it out"
        ) from None
    backend = url.drivername.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        if find_spec("psycopg") is None:
            raise DatabaseUnusable(
                "database_url names PostgreSQL, but its driver is not installed: pip install 'bouncemx[postgres]'"
            )
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite", query={})
    raise DatabaseUnusable(
        f"database_url names {backend!r}; a file in SQLite (sqlite:////path/to/file) "
        "and PostgreSQL (postgresql://user@host/name) can be used"
    )


class Database:
    """Transactions on a migrated database, for many threads. Only the worker says `checkpoints`, the web `maps`."""

    def __init__(self, url: URL, *, checkpoints: bool = False, maps: bool = False) -> None:
        self.url = url
        self._writers = _engine(url, writes=True, checkpoints=checkpoints)
        self._readers = _engine(url, writes=False, maps=maps)

    @contextmanager
    def writer(self) -> Iterator[Connection]:
        """One transaction that writes: committed at the end, rolled back by an exception.

        Raises DatabaseUnusable where the database is away, locked, full, damaged or was never made.
        """
        with explained(self.url), self._writers.begin() as connection:
            yield connection

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """One transaction that cannot write. Raises DatabaseUnusable as writer() does."""
        with explained(self.url), self._readers.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close the idle connections."""
        self._readers.dispose()
        self._writers.dispose()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def migrate(url: URL) -> None:
    """Create the database and bring its tables to the present state; safe from several processes at once.

    Where nothing is to do it only reads, and so waits for nobody who writes. Raises DatabaseUnusable, also where a
    newer bouncemx has migrated it.
    """
    from storage import migrations

    if _is_migrated(url):
        return
    with explained(url), _exclusively(url):
        engine = _engine(url, writes=True, migrates=True)
        try:
            with engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                migrations.upgrade(connection)
        except migrations.UnknownRevision as unknown:
            raise DatabaseUnusable(
                f"{shown(url)} was made by a newer bouncemx (revision {unknown}): install that one or a later one"
            ) from None
        finally:
            engine.dispose()


def shown(url: URL) -> str:
    """The database as messages name it: without a password."""
    return str(url.database) if url.drivername == "sqlite" else url.render_as_string(hide_password=True)


def _is_migrated(url: URL) -> bool:
    """Whether the database is there and at the present state. Raises DatabaseUnusable."""
    from storage import migrations

    if url.drivername == "sqlite" and not Path(str(url.database)).is_file():
        return False
    engine = _engine(url, writes=False)
    try:
        with explained(url), engine.begin() as connection:
            return migrations.is_current(connection)
    finally:
        engine.dispose()


@contextmanager
def _exclusively(url: URL) -> Iterator[None]:
    """One process at a time on a SQLite file that may not be there yet; PostgreSQL has its advisory lock."""
    if url.drivername != "sqlite":
        yield
        return
    path = str(url.database)
    try:
        # mail is private: nobody else reads the file, nor the -wal and -shm beside it, which take its mode
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseUnusable(
            f"the database {path} cannot be opened: {error.strerror}; "
            "its folder must exist and this user must be able to write there"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _engine(url: URL, *, writes: bool, checkpoints: bool = False, migrates: bool = False, maps: bool = False) -> Engine:
    if url.drivername != "sqlite":
        return create_engine(
            url,
            json_serializer=columns.dump,
            json_deserializer=jsontext.loads,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _BUSY_SECONDS},
            execution_options={"postgresql_readonly": not writes},
        )

    def connect() -> sqlite3.Connection:
        pragmas = _pragmas(writes=writes, checkpoints=checkpoints, migrates=migrates, maps=maps)
        return _connect(str(url.database), pragmas)

    engine = create_engine(url, json_serializer=columns.dump, json_deserializer=jsontext.loads, creator=connect)
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _connect(path: str, pragmas: list[str]) -> sqlite3.Connection:
    """mode=rw: only migrate() makes a file, so that a wrong path is an error and no empty database."""
    connection = sqlite3.connect(
        f"file:{quote(path)}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # transactions begin as we say, not as the driver guesses
        check_same_thread=False,
    )
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _pragmas(*, writes: bool, checkpoints: bool, migrates: bool, maps: bool) -> list[str]:
    pragmas = [
        f"wal_autocheckpoint = {1000 if checkpoints else 0}",
        "temp_store = MEMORY",
        "cache_size = -16384",  # KiB: ten thousand searches in a large index come back to the same pages
        # a migration rebuilds tables that others refer to
        f"foreign_keys = {'OFF' if migrates else 'ON'}",
    ]
    if not writes:
        # a check reads thousands of pages, each a call of the system where the file isn't mapped. Not by everyone: a
        # file that is cut off ends a process that has it mapped, and a child would have less memory of its own
        return [*pragmas, "query_only = ON", f"mmap_size = {_MAPPED if maps else 0}"]
    # NORMAL may lose a commit at a power failure, and what is stored leaves the journal
    return [*pragmas, "journal_mode = WAL", "synchronous = FULL", f"journal_size_limit = {64 << 20}"]


_ADVICE = (
    ("unable to open", "its folder must exist and this user must be able to read and write there"),
    ("readonly", "this user must be able to write the file and its folder"),
    ("not a database", "it is no SQLite database; move it away, or name another with database_url"),
    ("malformed", "it is damaged; put back a copy, or `sqlite3 FILE .recover` it into a new file"),
    ("locked", f"another process has kept it for {_BUSY_SECONDS} seconds; look for a stopped or stuck one"),
    ("full", "free some space on its disk"),
    ("disk i/o", "look at the disk and the kernel's log"),
    ("no such table", "it was never migrated; `bouncemx serve` and `bouncemx doctor` do that"),
    ("password", "look at user and password in database_url"),
    ("does not exist", "create it, or name another with database_url"),
    ("connection", "see that the server runs and that database_url names it"),
)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turns what the driver says of an unusable database into DatabaseUnusable; a fault of ours stays one."""
    try:
        yield
    except (OperationalError, InterfaceError, DatabaseError) as error:
        if _is_ours(error):
            raise  # nothing the operator could do
        told = " ".join(str(error.orig).split()) or type(error.orig).__name__
        advice = next((way for words, way in _ADVICE if words in told.lower()), "")
        raise DatabaseUnusable(f"the database {shown(url)}: {told}" + (f"; {advice}" if advice else "")) from error


def _is_ours(error: DBAPIError) -> bool:
    """Whether the database is well, and what we asked of it is not."""
    if type(error) not in (OperationalError, InterfaceError, DatabaseError):
        return True  # IntegrityError, DataError, ProgrammingError
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        # more than PostgreSQL can take, such as too long a key: class 54 of its errors
        return str(getattr(error.orig, "sqlstate", None) or "").startswith("54")
    faults = sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE  # such as no such column or function
    return code & 0xFF in faults and "no such table" not in str(error.orig)
