"""What brings a database to the state of storage/tables.py: Alembic, run from the installed package.

A new migration: change storage/tables.py, add versions/NNNN_what.py, set HEAD. tests/integration holds both equal.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0017"


class UnknownRevision(Exception):
    """The database is at a revision that this bouncemx does not know."""


def revision(connection: Connection) -> str | None:
    """The revision that the database is at; None where it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def is_current(connection: Connection) -> bool:
    """Whether upgrade() has nothing to do."""
    return revision(connection) == HEAD


def upgrade(connection: Connection, target: str = HEAD) -> None:
    """Run what is missing, within the caller's transaction. Raises UnknownRevision."""
    present = revision(connection)
    if present == target:  # without the quarter of a second that Alembic takes to load
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    configuration = config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(configuration).walk_revisions()}
    if present is not None and present not in known:
        raise UnknownRevision(present)
    command.upgrade(configuration, target)


def downgrade(connection: Connection, target: str) -> None:
    """Go back to a revision ("base": to no tables at all), within the caller's transaction."""
    from alembic import command

    command.downgrade(config(connection), target)


def config(connection: Connection) -> "Config":
    """Alembic's configuration, without a file: it finds env.py beside this module."""
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration
