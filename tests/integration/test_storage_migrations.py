"""A database can be made, taken back and made again, and is then what the tables say."""

import multiprocessing
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, create_engine, inspect, text
from sqlmodel import SQLModel

from storage import captures, messages, migrations, positions, schema
from storage.database import FILE_NAME, Database, DatabaseUnusable, locate, migrate
from storage.migrations import HEAD


def tables(url: URL) -> set[str]:
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_migrates_up_down_and_up_again(empty_url: URL) -> None:
    migrate(empty_url)
    made = tables(empty_url)
    with Database(empty_url) as database, database.writer() as connection:
        migrations.downgrade(connection, "base")
    assert tables(empty_url) == {"alembic_version"}
    migrate(empty_url)
    assert tables(empty_url) == made == {*SQLModel.metadata.tables, "alembic_version"}


def test_deliveries_of_before_get_the_account_of_their_message(database: Database) -> None:
    with database.writer() as connection:
        for name in ("shop", "other"):
            messages.register(connection, name, [(f"ann@{name}.example", None)], message_id="<m@s.example>")
        migrations.downgrade(connection, "0016")
        migrations.upgrade(connection)
        told = "SELECT d.account_id, m.account_id FROM delivery d JOIN message m ON m.id = d.message_id ORDER BY d.id"
        assert connection.execute(text(told)).all() == [(1, 1), (2, 2)]


def test_the_migrated_schema_is_the_metadata(database: Database) -> None:
    with database.reader() as connection:
        ours = partial(schema.of, connection.dialect.name)
        opts = {"compare_type": True, "include_object": lambda item, *_: ours(item)}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_again_keeps_what_is_there(database: Database) -> None:
    with database.writer() as connection:
        connection.execute(text("INSERT INTO position VALUES ('worker', 7)"))
    migrate(database.url)
    with database.reader() as connection:
        assert connection.execute(text("SELECT position FROM position")).scalar() == 7


def test_a_migrated_database_is_not_written(tmp_path: Path) -> None:
    """What only reads works while another process writes, or holds the file for long."""
    url = locate(None, tmp_path)
    migrate(url)
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("INSERT INTO position VALUES ('worker', 7)")
        migrate(url)
        with Database(url) as database, database.reader() as connection:
            assert list(captures.find(connection, captures.Filter())) == []
            assert positions.get(connection, "worker") is None
        other.execute("COMMIT")
    with Database(url) as database, database.reader() as connection:
        assert positions.get(connection, "worker") == 7


def test_processes_may_start_at_once(empty_url: URL) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=migrate, args=(empty_url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert "capture" in tables(empty_url)


def test_a_newer_database_is_refused_in_words(database: Database) -> None:
    with database.writer() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusable, match=r"made by a newer bouncemx \(revision 9999\)"):
        migrate(database.url)


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(connection: object, target: str = HEAD) -> None:
        good(connection, target)
        raise RuntimeError("power failure")

    good = migrations.upgrade
    monkeypatch.setattr(migrations, "upgrade", breaks)
    with pytest.raises(RuntimeError, match="power failure"):
        migrate(empty_url)
    assert tables(empty_url) == set()


def test_head_is_the_last_migration() -> None:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert script.get_heads() == [HEAD]


def test_migrations_do_not_depend_on_the_tables_of_today() -> None:
    for path in Path(migrations.__file__).parent.glob("versions/*.py"):
        assert "storage" not in path.read_text(), path
