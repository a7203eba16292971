"""Events are forgotten when they are old: from the first one on, so that what is kept has no holes.

How far that went is kept: who comes with an older cursor is told so. A delivery's sequence counts on.
"""

from datetime import datetime
from itertools import takewhile

from sqlalchemy import Connection, delete, func, select

from storage import batch, positions, upsert
from storage.tables import event, event_count

_NAME = "forgotten events"
_MOST = 1000  # in one transaction: others write too
_FIRST = select(event.c.id, event.c.delivery_id, event.c.sequence, event.c.occurred_at).order_by(event.c.id)


def forget(connection: Connection, before: datetime) -> int:
    """Remove some of the events from before this time, with what was queued of them; how many. Again, until 0."""
    rows = connection.execute(_FIRST.limit(_MOST)).all()
    old = list(takewhile(lambda row: row.occurred_at < before, rows))
    if not old:
        return 0
    counts = {
        row.delivery_id: row.sequence for row in old if row.delivery_id is not None
    }  # the last one is the highest
    new = upsert.insert(connection, event_count)
    highest = new.on_conflict_do_update(index_elements=["delivery_id"], set_={"sequence": new.excluded.sequence})
    batch.write(connection, highest, [{"delivery_id": key, "sequence": number} for key, number in counts.items()])
    connection.execute(delete(event).where(event.c.id <= old[-1].id))
    positions.put(connection, _NAME, old[-1].id)
    return len(old)


def reached(connection: Connection) -> int:
    """The id of the last event that was forgotten; 0 where none was."""
    return positions.get(connection, _NAME) or 0


def last(connection: Connection) -> int:
    """The highest id that an event has, or had; 0 where there never was one."""
    found: int | None = connection.execute(select(func.max(event.c.id))).scalar()
    return reached(connection) if found is None else found
