"""The end of a bounce's way: outcomes, what follows from them and the reader's position, in one transaction."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from handlers.effects import Policy
from handlers.events import Event, of_capture
from handlers.outcome import Outcome
from handlers.states import unregistered
from storage import bounces, captures, events, evidence, positions, replays, states, waiting
from storage.following import follow


def store(
    connection: Connection, outcomes: Sequence[Outcome], consumer: str, position: int, policy: Policy | None = None
) -> None:
    """Store captures with their bounces and suppressions, and that `consumer` has read up to `position`.

    A journal position that is stored already is left as it is, with everything that followed from it: a replay
    stores nothing twice. A report of what was reported before has no second effect. The caller's transaction makes
    all of it one.
    """
    fresh = captures.insert(connection, replays.without(connection, outcomes))
    bounces.insert(connection, fresh)
    waiting.insert(connection, fresh)
    evidence.insert(connection, fresh)
    changed = states.hear(connection, fresh)
    followed = follow(connection, fresh, policy or Policy())
    positions.put(connection, consumer, position)
    events.put(connection, [*changed, *_told(fresh), *followed])


def _told(outcomes: Sequence[Outcome]) -> Iterator[Event]:
    """What is told of captures beside the deliveries that they change."""
    for outcome in outcomes:
        yield from unregistered(outcome)
        if told := of_capture(outcome):
            yield told
