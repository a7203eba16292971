"""Many rows by one statement, as Connection.execute() would write them.

That walks through every value of every row; a batch goes faster column by column, and most of its words and moments
are the same ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Insert, TypeDecorator, Update
from sqlalchemy.types import TypeEngine

_Bind = Callable[[Any], Any]


class _Prepared(NamedTuple):
    """A statement as the driver takes it."""

    text: str
    parameters: tuple[tuple[str, TypeEngine[Any], _Bind | None], ...]
    positional: bool


def write(connection: Connection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute the statement for all of these rows, which have the same keys. It should be the same object each time."""
    if not rows:
        return
    text, parameters, positional = _prepared(statement, connection.dialect, tuple(rows[0]))
    columns = [_bound([row[name] for row in rows], type_, bind) for name, type_, bind in parameters]
    values: Iterable[Any] = zip(*columns, strict=True)
    if not positional:
        names = [name for name, *_ in parameters]
        values = (dict(zip(names, each, strict=True)) for each in values)
    connection.exec_driver_sql(text, list(values))


@lru_cache(maxsize=128)
def _prepared(statement: Insert | Update, dialect: Dialect, keys: tuple[str, ...]) -> _Prepared:
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(keys), for_executemany=True)
    names = compiled.positiontup or list(compiled.binds)
    types = {name: compiled.binds[name].type for name in names}
    binds = {name: type_.dialect_impl(dialect).bind_processor(dialect) for name, type_ in types.items()}
    parameters = tuple((name, types[name], binds[name]) for name in names)
    return _Prepared(str(compiled), parameters, compiled.positional)


def _bound(values: list[Any], type_: TypeEngine[Any], bind: _Bind | None) -> list[Any]:
    """What the driver is given for them."""
    if bind is None:
        return values
    if isinstance(type_, TypeDecorator):  # text and moments, not documents and octets
        bound = {value: bind(value) for value in set(values)}
        return [bound[value] for value in values]
    return [bind(value) for value in values]
