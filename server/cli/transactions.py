"""The database of a command; the data folder may be empty, and the service may be down."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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


@contextmanager
def writing(loaded: "Settings") -> "Iterator[Connection]":
    """A transaction that writes."""
    with opened(loaded) as db, db.writer() as connection:
        yield connection
