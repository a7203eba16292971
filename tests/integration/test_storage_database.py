"""Connections: who may write, who waits, and what an unusable database says."""

import os
import random
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError

from storage import accounts, database, positions
from storage.database import Database, DatabaseUnusable, locate, migrate

INSERT = text("INSERT INTO position VALUES ('x', 1)")


@pytest.fixture
def file(tmp_path: Path) -> URL:
    url = locate(None, tmp_path)
    migrate(url)
    return url


def test_a_writer_commits_at_its_end_and_rolls_back_on_an_exception(database: Database) -> None:
    with database.writer() as connection:
        positions.put(connection, "worker", 1)

    def fail(connection: Connection) -> None:
        positions.put(connection, "worker", 2)
        raise InterruptedError

    with pytest.raises(InterruptedError), database.writer() as connection:
        fail(connection)
    with database.reader() as connection:
        assert positions.get(connection, "worker") == 1


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises((DatabaseUnusable, InternalError), match=r"readonly|read-only"), database.reader() as connection:
        connection.execute(INSERT)


def test_a_reader_sees_no_half_of_a_transaction(database: Database) -> None:
    with database.writer() as writing:
        positions.put(writing, "worker", 1)
        with database.reader() as connection:
            assert positions.get(connection, "worker") is None


def test_references_are_checked(database: Database) -> None:
    with pytest.raises(IntegrityError), database.writer() as connection:
        connection.execute(
            text("INSERT INTO delivery (message_id, recipient, recipient_key) VALUES (77, 'a@b', 'a@b')")
        )


def test_writers_that_read_first_wait_for_each_other(database: Database) -> None:
    """A transaction that began as a reader would fail here at once ("database is locked"), or lose an update."""
    errors: list[BaseException] = []

    def count_up() -> None:
        try:
            for _ in range(25):
                with database.writer() as connection:
                    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
                    query = text(f"SELECT position FROM position WHERE name = 'n'{lock}")  # noqa: S608
                    positions.put(connection, "n", connection.execute(query).scalar_one() + 1)
        except BaseException as error:
            errors.append(error)

    with database.writer() as connection:
        positions.put(connection, "n", 0)
    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.reader() as connection:
        assert positions.get(connection, "n") == 100


def test_an_account_is_made_once(database: Database) -> None:
    with database.writer() as connection:
        first = accounts.ensure(connection, "acme")
    with database.writer() as connection:
        assert accounts.ensure(connection, "acme") == first
        assert accounts.ensure(connection, "other").id == first.id + 1  # no number is lost to a second asking


def test_the_pragmas_of_a_file(file: URL) -> None:
    def pragma(connection: Connection, name: str) -> object:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "wal_autocheckpoint", "query_only")
    with Database(file, checkpoints=True) as worker, worker.writer() as connection:
        assert [pragma(connection, name) for name in names] == ["wal", 2, 1, 10_000, 1000, 0]
    with Database(file) as other:
        with other.writer() as connection:
            assert [pragma(connection, name) for name in names] == ["wal", 2, 1, 10_000, 0, 0]
        with other.reader() as connection:
            assert pragma(connection, "wal_autocheckpoint") == 0
            assert pragma(connection, "query_only") == 1
            assert pragma(connection, "mmap_size") == 0
    with Database(file, maps=True) as web:
        with web.reader() as connection:
            assert pragma(connection, "mmap_size") > 0
        with web.writer() as connection:
            assert pragma(connection, "mmap_size") == 0


@pytest.mark.parametrize(("checkpoints", "grows"), [(True, False), (False, True)])
def test_only_the_worker_checkpoints(file: URL, checkpoints: bool, grows: bool) -> None:
    with Database(file, checkpoints=checkpoints) as database:
        for i in range(60):
            with database.writer() as writing:
                writing.execute(text("INSERT INTO position VALUES (:name, 1)"), {"name": f"{i:02}" * 100_000})
        # each row takes 400 kB, and a checkpoint at 4 MB lets the log begin anew
        assert (Path(f"{file.database}-wal").stat().st_size > 20_000_000) == grows


def test_the_file_is_private(file: URL) -> None:
    with Database(file) as database, database.writer() as connection:
        connection.execute(INSERT)
        for path in Path(str(file.database)).parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c=d#e%f&ä"
    folder.mkdir()
    url = locate(None, folder)
    migrate(url)
    with Database(url) as database, database.writer() as connection:
        connection.execute(INSERT)
    assert (folder / "bouncemx.db").stat().st_size > 0


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("postgresql://me@db.test/mx", "postgresql+psycopg://me@db.test/mx"),
        ("postgres://me@db.test/mx", "postgresql+psycopg://me@db.test/mx"),
        ("postgresql+psycopg2://me@db.test/mx?sslmode=require", "postgresql+psycopg://me@db.test/mx?sslmode=require"),
        ("", "sqlite:////data/bouncemx.db"),
    ],
)
def test_locates(given: str, found: str) -> None:
    assert locate(given, Path("/data")).render_as_string() == found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("bouncemx.db", "is no URL: write postgresql://"),
        ("mysql://me@db.test/mx", "names 'mysql'"),
        ("sqlite://", "names 'sqlite'; a file"),
        ("sqlite:///:memory:", "names 'sqlite'; a file"),
    ],
)
def test_says_what_is_wrong_with_a_url(given: str, words: str) -> None:
    with pytest.raises(DatabaseUnusable, match=words):
        locate(given, Path("/data"))


def test_says_how_to_get_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "find_spec", lambda name: None)
    with pytest.raises(DatabaseUnusable, match=r"pip install 'bouncemx\[postgres\]'"):
        locate("postgresql://db.test/mx", Path("/data"))


def refused(url: URL) -> str:
    with pytest.raises(DatabaseUnusable) as told, Database(url) as opened, opened.writer() as connection:
        connection.execute(INSERT)
    return str(told.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    url = locate(None, tmp_path / "missing")
    with pytest.raises(DatabaseUnusable, match=r"missing/bouncemx.db cannot be opened: No such file.*must exist"):
        migrate(url)
    assert "its folder must exist" in refused(url)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "bouncemx.db").write_text("my diary\n" * 1000)
    with pytest.raises(DatabaseUnusable, match="is no SQLite database; move it away"):
        migrate(locate(None, tmp_path))
    assert (tmp_path / "bouncemx.db").read_text().startswith("my diary")


def test_a_database_that_was_never_migrated(tmp_path: Path) -> None:
    url = locate(None, tmp_path)
    Path(str(url.database)).touch()
    assert "never migrated" in refused(url)


def test_opening_makes_no_empty_database(tmp_path: Path) -> None:
    refused(locate(None, tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_file_that_another_process_keeps(file: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    with Database(file) as first, first.writer():
        assert "another process has kept it" in refused(file)


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    url = locate("postgresql://me:s3cret@127.0.0.1:1/mx", tmp_path)
    with pytest.raises(DatabaseUnusable) as migrating:
        migrate(url)
    for told in (refused(url), str(migrating.value)):
        assert "me:***@127.0.0.1:1/mx" in told
        assert "see that the server runs" in told
        assert "s3cret" not in told


def test_a_server_without_that_database(postgresql: URL) -> None:
    url = locate(postgresql.render_as_string(hide_password=False), Path()).set(database="nowhere")
    assert "create it, or name another" in refused(url)


def test_a_server_that_was_restarted_is_reached_again(database: Database) -> None:
    with database.reader() as connection:
        if connection.dialect.name == "postgresql":
            me = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        else:
            me = None
    if me is not None:
        with database.writer() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:me)"), {"me": me})
    with database.reader() as connection:
        assert positions.get(connection, "worker") is None


@pytest.mark.parametrize("ours", ["SELECT no_such_function()", "SELECT no_such_column FROM account", "SELEC"])
def test_a_fault_in_our_sql_is_no_unusable_database(database: Database, ours: str) -> None:
    with pytest.raises(DBAPIError), database.reader() as connection:
        connection.execute(text(ours))


def test_too_long_a_key_is_no_unusable_database(database: Database) -> None:
    """PostgreSQL takes no more than 2704 octets into an index; SQLite takes all."""
    noise = random.Random(1).randbytes(8000).hex()
    with suppress(DBAPIError), database.writer() as connection:
        connection.execute(text("CREATE TABLE long (key text PRIMARY KEY)"))
        connection.execute(text("INSERT INTO long VALUES (:key)"), {"key": noise})
