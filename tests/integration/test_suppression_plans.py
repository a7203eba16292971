"""What is asked of all suppressions at once searches an index that was made for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, event, text

from handlers.effects import Standing, State
from handlers.words import Category, Reason
from storage import accounts, checking, migrations, standing, suppressions
from storage.database import Database
from storage.standing import Key

NOW = datetime(2026, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def plan(connection: Connection, sql: str, values: object) -> str:
    """As the database would run it if there were many rows."""
    if connection.dialect.name == "sqlite":
        return "\n".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))  # type: ignore[arg-type]
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {sql}", values))  # type: ignore[arg-type]


@contextmanager
def asked(connection: Connection) -> Iterator[list[tuple[str, object]]]:
    """The statements that are run meanwhile."""
    seen: list[tuple[str, object]] = []

    def see(_1: object, _2: object, sql: str, values: object, *_3: object) -> None:
        seen.append((sql, values))

    event.listen(connection, "before_cursor_execute", see)
    yield seen
    event.remove(connection, "before_cursor_execute", see)


def fill(connection: Connection, account: int) -> None:
    dead = Standing(Category.UNKNOWN_USER, Reason.USER_UNKNOWN, NOW)
    rows = {Key(f"r{number}@x.example", account): dead for number in range(2000)}
    standing.write(connection, {}, rows)
    connection.execute(text("ANALYZE"))


def test_a_check_reads_its_own_index(database: Database) -> None:
    with database.writer() as connection:
        account = accounts.ensure(connection, "acme").id
        dialect = connection.dialect.name
        for whose in (account, None):
            for _ in ("empty", "filled"):
                values = checking.parameters(whose, ["ann@x.example", "bob@x.example"])
                found = plan(connection, checking.statement(dialect, whose), values)
                if dialect == "sqlite":
                    assert "SEARCH s USING COVERING INDEX ix_suppression_checked (address=?)" in found
                else:
                    assert "Index Scan using ix_suppression_address" in found
                fill(connection, account)


def test_what_expires_is_found_by_its_time_and_what_has_expired_is_not_read(database: Database) -> None:
    with database.writer() as connection:
        account = accounts.ensure(connection, "acme").id
        fill(connection, account)
        over = Standing(Category.SPAM, Reason.SPAM_CONTENT, NOW - DAY, expires_at=NOW)
        standing.write(connection, {}, {Key("ann@x.example", account): over})
        with asked(connection) as seen:
            assert suppressions.expire(connection, NOW) == 1
        found = plan(connection, *seen[0])
        sqlite = connection.dialect.name == "sqlite"
        assert (
            "SEARCH suppression USING INDEX" if sqlite else "Index Scan using"
        ) + " ix_suppression_expires_at" in found
        assert "SORT" not in found.upper().replace("ORDER BY", "SORT")
        catalogue = "sqlite_master WHERE name" if sqlite else "pg_indexes WHERE indexname"
        column = "sql" if sqlite else "indexdef"
        index = connection.execute(text(f"SELECT {column} FROM {catalogue} = 'ix_suppression_expires_at'")).scalar_one()  # noqa: S608
        assert "'active'" in index


def test_older_suppressions_are_found_after_the_migration_and_back(database: Database) -> None:
    """Of a database with rows, each in every state that there is."""
    with database.writer() as connection:
        migrations.downgrade(connection, "0012")
        account = accounts.ensure(connection, "acme").id
        rows = {
            Key(f"{state}@x.example", account): Standing(
                Category.SPAM, Reason.SPAM_CONTENT, NOW - DAY, expires_at=NOW + DAY, state=state
            )
            for state in State
        }
        standing.write(connection, {}, rows)
        migrations.upgrade(connection)
        assert {
            each.state for each in checking.check(connection, account, (key.address for key in rows), NOW).values()
        } == {
            State.ACTIVE,
            State.HELD,
            State.EXPIRED,
        }
        assert suppressions.expire(connection, NOW + DAY) == 1
        migrations.downgrade(connection, "0012")
        assert len(standing.read(connection, list(rows))) == len(State)
