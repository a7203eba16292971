"""How far each consumer has read: the worker in the journal, the webhooks in the bounces."""

from sqlalchemy import Connection, select

from storage import upsert
from storage.tables import position


def get(connection: Connection, consumer: str) -> int | None:
    """Where the consumer goes on; None where it never began."""
    found: int | None = connection.execute(select(position.c.position).where(position.c.name == consumer)).scalar()
    return found


def put(connection: Connection, consumer: str, reached: int) -> None:
    """The consumer has read everything before this position."""
    new = upsert.insert(connection, position)
    statement = new.on_conflict_do_update(index_elements=["name"], set_={"position": new.excluded.position})
    connection.execute(statement, {"name": consumer, "position": reached})
