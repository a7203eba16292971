"""Rows of any number, a page at a time: memory stays bounded, whatever the database's driver buffers."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, RowMapping, Select


def narrowed(statement: Select[Any], *wanted: tuple[Column[Any], Any]) -> Select[Any]:
    """The rows whose columns have these values; None: any."""
    for column, value in wanted:
        if value is not None:
            statement = statement.where(column == value)
    return statement


def between(statement: Select[Any], key: Column[int], since: int | None, before: int | None) -> Select[Any]:
    """The rows with a higher key than `since` and a lower one than `before`; None: no bound."""
    if since is not None:
        statement = statement.where(key > since)
    if before is not None:
        statement = statement.where(key < before)
    return statement


def rows(
    connection: Connection,
    statement: Select[Any],
    key: Column[int],
    *,
    page: int,
    newest_first: bool = False,
) -> Iterator[RowMapping]:
    """The statement's rows in the order of `key`, which it selects by that name and which no two rows share."""
    ordered = statement.order_by(key.desc() if newest_first else key).limit(page)
    following = ordered
    while True:
        found = connection.execute(following).mappings().all()
        yield from found
        if len(found) < page:
            return
        last = found[-1][key.name]
        following = ordered.where(key < last if newest_first else key > last)
