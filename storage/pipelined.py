"""Statements that are on their way together: the database works on the next one while the answer to one is read.

Below SQLAlchemy, which waits for each answer. PostgreSQL has a pipeline for it, SQLite a thread here: it lets others
run until it has a row, so a statement should give its answer in one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

Row = Sequence[Any]
Rows = Callable[[], Sequence[Row]]  # waits for the answer
Ask = Callable[[str, Mapping[str, Any]], Rows]  # a statement with the parameters as the driver writes them


@contextmanager
def asking(connection: Connection) -> Iterator[Ask]:
    """Asks in the transaction of the connection; rows are as the driver gives them. Raises DBAPIError."""
    dialect, driver = connection.dialect, connection.connection.driver_connection
    errors = dialect.loaded_dbapi.Error
    asked: list[tuple[str, Mapping[str, Any]]] = []
    try:
        with _in_a_thread(driver) if dialect.name == "sqlite" else _in_a_pipeline(driver) as send:

            def ask(sql: str, values: Mapping[str, Any]) -> Rows:
                asked.append((sql, values))
                return send(sql, values)

            yield ask
    except errors as error:
        sql, values = asked[-1] if asked else ("", {})  # the driver does not say which of them failed
        raise DBAPIError.instance(sql, dict(values), error, errors, dialect=dialect) from error


@contextmanager
def _in_a_thread(driver: Any) -> Iterator[Ask]:
    def rows(sql: str, values: Mapping[str, Any]) -> Sequence[Row]:
        found: Sequence[Row] = driver.execute(sql, values).fetchall()
        return found

    with ThreadPoolExecutor(1) as thread:
        yield lambda sql, values: thread.submit(rows, sql, values).result


@contextmanager
def _in_a_pipeline(driver: Any) -> Iterator[Ask]:
    with driver.pipeline():
        yield lambda sql, values: driver.execute(sql, values).fetchall
