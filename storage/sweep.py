"""What time alone brings about: suppressions that come or expire, incidents that close, accounts that come of age."""

from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, select

from handlers.effects import Policy
from storage import changes, events, everyone, holding, positions, refusals, suppressions
from storage.tables import suppression

_NAME = "sweep"
_DUE = select(suppression.c.id).where(suppression.c.held_until <= bindparam("now")).limit(1)


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether a suppression waits no more."""
    return connection.execute(_DUE, {"now": now}).scalar() is not None


def sweep(connection: Connection, policy: Policy, now: datetime) -> bool:
    """Bring everything up to `now`; doing it again, or late, comes to the same. True: there is more to do."""
    last = positions.get(connection, _NAME) or int(now.timestamp())
    waited = holding.due(connection, policy, now)
    events.put(connection, [*changes.record(connection, waited.effects), *waited.told])
    suppressions.expire(connection, now)
    told = [] if waited.more else refusals.close(connection, policy, now)  # which forgets what waves are made of
    effects, globally = everyone.mature(connection, policy, datetime.fromtimestamp(last, UTC), now)
    told += [*changes.record(connection, effects), *globally]
    positions.put(connection, _NAME, int(now.timestamp()))
    events.put(connection, told)
    return waited.more
