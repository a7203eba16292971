"""Statements that are on their way together: PostgreSQL works on the next one while the answer to one is read.

Below SQLAlchemy, which waits for each answer. SQLite works in this process, so there each is asked when it is read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    if connection.dialect.name == "sqlite":
        yield lambda sql, values: lambda: connection.exec_driver_sql(sql, dict(values)).fetchall()
        return
    driver: Any = connection.connection.driver_connection
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(sql: str, values: Mapping[str, Any]) -> Rows:
        asked.append((sql, values))
        rows: Rows = driver.execute(sql, values).fetchall
        return rows

    errors = connection.dialect.loaded_dbapi.Error
    try:
        with driver.pipeline():
            yield ask
    except errors as error:
        sql, values = asked[-1] if asked else ("", {})
        raise DBAPIError.instance(sql, dict(values), error, errors, dialect=connection.dialect) from error
