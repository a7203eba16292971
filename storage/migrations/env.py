"""Alembic runs this for every command; the connection, with its transaction, comes from storage.migrations."""

from alembic import context
from sqlmodel import SQLModel

import storage.tables
import storage.webhook_tables  # noqa: F401 - fills the metadata
from storage import schema

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    include_object=lambda item, *_: schema.of(connection.dialect.name, item),
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite changes a table by rebuilding it
    transactional_ddl=True,  # also in SQLite: a migration that fails leaves nothing behind
)
context.run_migrations()
