"""INSERT ... ON CONFLICT, which both databases have in one spelling and SQLAlchemy in two."""

from functools import cache

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT to which on_conflict_do_update can be said."""
    return insert_into(table, connection.dialect.name)


def insert_into(table: Table, dialect: str) -> Insert:
    """The same by the name of the dialect, for those who keep the statement."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_new(connection: Connection, table: Table) -> Insert:
    """An INSERT that leaves out the rows that a unique index knows already."""
    return _insert_new(table, connection.dialect.name)


@cache  # SQLAlchemy then compiles it once
def _insert_new(table: Table, dialect: str) -> Insert:
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
