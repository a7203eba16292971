"""The database of a command; the data folder may be empty, and the service may be down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from server.settings import Settings
    from storage.database import Database


def opened(loaded: "Settings") -> "Database":
    """The database, migrated; to be closed. Raises DatabaseUnusable."""
    from storage import database

    loaded.data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    url = database.locate(loaded.database_url, loaded.data_dir)
    database.migrate(url)
    return database.Database(url)


@contextmanager
def reading(loaded: "Settings") -> "Iterator[Connection]":
    """A transaction that reads."""
    with opened(loaded) as db, db.reader() as connection:
        yield connection


def reading_on(
    loaded: "Settings", find: "Callable[[Connection, int | None], Iterator[dict[str, Any]]]", page: int
) -> Iterator[dict[str, Any]]:
    """The rows that `find` gives from behind an id on, in the order of their ids, and what comes in meanwhile.

    Each page is a transaction of its own: while one is open, SQLite can't clear its log of what was written since,
    and who reads the output may take all day (a pager).
    """
    last = None
    with opened(loaded) as db:
        while True:
            with db.reader() as connection:
                rows = list(islice(find(connection, last), page))
            yield from rows
            if len(rows) < page:
                return
            last = rows[-1]["id"]


@contextmanager
def writing(loaded: "Settings") -> "Iterator[Connection]":
    """A transaction that writes."""
    with opened(loaded) as db, db.writer() as connection:
        yield connection
