"""How tables are declared: names of their constraints, and what several of them share."""

from typing import Any

from sqlalchemy import Index, Table
from sqlmodel import SQLModel

from storage.columns import LONGEST_ADDRESS, CleanText

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

ADDRESS = CleanText(LONGEST_ADDRESS)
# SQLite gives the id of a deleted last row again, unless it is told not to
NEVER_AGAIN = {"sqlite_autoincrement": True}


def table_of(model: type[SQLModel]) -> Table:
    """The table that a model declares."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def only(dialect: str, index: Index) -> Index:
    """An index that one of the databases has."""
    index.info["dialect"] = dialect
    return index.ddl_if(dialect=dialect)


def of(dialect: str, item: Any) -> bool:
    """Whether a database has what the tables say, or says so for all."""
    return bool(getattr(item, "info", {}).get("dialect", dialect) == dialect)
