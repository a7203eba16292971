"""Alembic runs this for every command; the connection, with its transaction, comes from storage.migrations."""

from alembic import context
from sqlmodel import SQLModel

import storage.tables
import storage.webhook_tables  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite changes a table by rebuilding it
    transactional_ddl=True,  # also in SQLite: a migration that fails leaves nothing behind
)
context.run_migrations()
