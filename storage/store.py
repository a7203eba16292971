"""The end of a bounce's way: outcomes, what follows from them and the reader's position, in one transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection

from handlers.outcome import Outcome
from storage import bounces, captures, positions, suppressions, waiting


def store(connection: Connection, outcomes: Sequence[Outcome], consumer: str, position: int) -> None:
    """Store captures with their bounces and suppressions, and that `consumer` has read up to `position`.

    A journal position that is stored already is left as it is, with everything that followed from it: a replay
    stores nothing twice. The caller's transaction makes all of it one.
    """
    fresh = captures.insert(connection, outcomes)
    bounces.insert(connection, fresh)
    suppressions.insert(connection, fresh)
    waiting.insert(connection, fresh)
    positions.put(connection, consumer, position)
