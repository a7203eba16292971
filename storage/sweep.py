"""What time alone brings about: suppressions that expire, incidents that close, accounts that come of age."""

from datetime import UTC, datetime

from sqlalchemy import Connection

from handlers.effects import Policy
from storage import changes, events, everyone, incidents, positions, suppressions

_NAME = "sweep"


def sweep(connection: Connection, policy: Policy, now: datetime) -> None:
    """Bring everything up to `now`; doing it again, or late, comes to the same."""
    last = positions.get(connection, _NAME) or int(now.timestamp())
    suppressions.expire(connection, now)
    told = incidents.close(connection, policy, now)
    effects, globally = everyone.mature(connection, policy, datetime.fromtimestamp(last, UTC), now)
    told += [*changes.record(connection, effects), *globally]
    positions.put(connection, _NAME, int(now.timestamp()))
    events.put(connection, told)
