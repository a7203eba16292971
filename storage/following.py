"""What follows from a batch of stored bounces: suppressions, incidents, and what senders are told of them.

A constant number of statements a batch, none where nothing bounced hard.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from handlers import effects
from handlers.effects import PERMANENT_CAUSES, Policy, Standing, State
from handlers.events import Event
from handlers.outcome import Outcome
from storage import changes, everyone, refusals, standing
from storage.changes import Change, Effect
from storage.columns import address_key
from storage.refusals import Watched
from storage.standing import Key


def follow(
    connection: Connection, outcomes: Sequence[Outcome], policy: Policy, now: datetime | None = None
) -> list[Event]:
    """Suppress what captures that are stored suppress; the events are to be put last in the transaction."""
    watched = refusals.watch(connection, outcomes, policy)
    candidates = list(_candidates(outcomes, watched, policy))
    made = [*watched.effects, *_suppress(connection, candidates)]
    dead: dict[str, datetime] = {}
    for key, each in candidates:
        if each.category in PERMANENT_CAUSES and each.state is State.ACTIVE:
            dead[key.address] = min(each.since, dead.get(key.address, each.since))
    told: list[Event] = []
    if dead:
        everyones, told = everyone.gather(connection, dead, policy, now or datetime.now(UTC))
        made += everyones
    return [*watched.events, *changes.record(connection, made), *told]


def _candidates(outcomes: Sequence[Outcome], watched: Watched, policy: Policy) -> Iterator[tuple[Key, Standing]]:
    for outcome in outcomes:
        at, position = outcome.mail.envelope.received_at, outcome.mail.position
        waves = (
            {address_key(each.address): refusals.wave_of(each) for each in outcome.bounces} if watched.running else {}
        )
        for each in outcome.suppressions:
            key = Key(address_key(each.address), each.account.id if each.account else None)
            new = policy.suppression(each.category, each.reason, at, outcome.notice_form, position)
            yield key, watched.judged(waves.get(key.address), new)


def _suppress(connection: Connection, candidates: Sequence[tuple[Key, Standing]]) -> list[Effect]:
    if not candidates:
        return []
    before = standing.read(connection, {key for key, _ in candidates}, lock=True)
    stands: dict[Key, Standing | None] = {key: standing.standing(row) for key, row in before.items()}
    after: dict[Key, Standing] = {}
    for key, new in candidates:
        if found := effects.strongest(stands.get(key), new):
            stands[key] = after[key] = found
    if not after:
        return []
    written = standing.write(connection, before, after)
    return [
        Effect(key, _CHANGES[each.state], each, each.since)
        for key, each in after.items()
        if key in written and (key not in before or before[key]["state"] != each.state)
    ]


_CHANGES = {State.ACTIVE: Change.ADDED, State.HELD: Change.HELD}
