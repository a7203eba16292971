"""What becomes of suppressions when the verdicts of stored captures change.

A suppression is the strongest of what suppresses its address since a person lifted it (handlers/effects.py). So those
whose captures say something else now are worked out anew, from all that is stored. What a person said is never touched.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping

from handlers import effects
from handlers.effects import PERMANENT_CAUSES, SAID, Policy, Standing, State
from handlers.events import Event
from handlers.outcome import Suppression
from handlers.words import Category, Reason
from storage import changes, everyone, revision, standing
from storage.changes import Change, Effect
from storage.revision import Stored
from storage.standing import Key

Facts = Mapping[Key, Standing]  # what one capture suppresses


class Effects:
    """The suppressions that captures with new verdicts bear upon; settle() makes them what they are to be."""

    def __init__(self, policy: Policy) -> None:
        self.added = self.removed = self.changed = 0
        self._policy = policy
        self._said: dict[Key, dict[int, Standing | None]] = {}  # by capture, where it is not what it was

    def take(self, old: Stored, now: Facts) -> None:
        """What follows from one capture is now this."""
        before = follows(old, self._policy)
        for key in {**before, **now}:
            was, new = before.get(key), now.get(key)
            if was is None or new is None or _content(was) != _content(new):
                self._said.setdefault(key, {})[old.id] = new

    def settle(self, connection: Connection, *, dry: bool = False) -> list[Event]:
        """Store them, or only count, in the transaction that stored the verdicts: the events are put last in it."""
        rows = standing.read(connection, list(self._said), lock=not dry) if self._said else {}
        after: dict[Key, Standing] = {}
        gone: list[Key] = []
        for key, said in self._said.items():
            row = rows.get(key)
            if row is None or row["source"] not in SAID or row["state"] != State.ACTIVE:
                best = self._best(connection, key, said, row)
                if best is not None:
                    self._put(key, row, best, after)
                elif row is not None and row["state"] != State.LIFTED:
                    gone.append(key)
        self.removed += len(gone)
        return [] if dry else _write(connection, rows, after, gone, self._policy)

    def _best(
        self, connection: Connection, key: Key, said: Mapping[int, Standing | None], row: RowMapping | None
    ) -> Standing | None:
        """The strongest of what suppresses the address since it was lifted; what an incident holds is held."""
        facts = {
            capture: fact for capture, fact in _stored(connection, key, self._policy).items() if capture not in said
        }
        lifted_at = row["lifted_at"] if row else None
        best: Standing | None = None
        for fact in [*facts.values(), *filter(None, said.values())]:
            if lifted_at is None or fact.since > lifted_at:
                best = effects.strongest(best, _held(fact, row)) or best
        return best and replace(best, lifted_at=lifted_at)

    def _put(self, key: Key, row: RowMapping | None, best: Standing, after: dict[Key, Standing]) -> None:
        was = standing.standing(row) if row else None
        if was is None or was.state is State.LIFTED:
            self.added += 1
        elif (was.capture, _content(was)) == (best.capture, _content(best)):
            return
        elif was.capture == best.capture:
            self.changed += 1
        after[key] = best


def follows(stored: Stored, policy: Policy) -> dict[Key, Standing]:
    """What a capture suppresses as it is stored."""
    return {
        Key(row["address_key"], row["account_id"]): _fact(row, stored.id, stored.capture["received_at"], policy)
        for row in stored.bounces
        if row["suppresses"]
    }


def facts(capture: int, since: datetime, found: Iterable[Suppression], policy: Policy) -> dict[Key, Standing]:
    """What a capture suppresses as it is judged now."""
    return {
        revision.key_of(each): Standing(each.category, each.reason, since, policy.expires(each.reason, since), capture)
        for each in found
    }


def _stored(connection: Connection, key: Key, policy: Policy) -> dict[int, Standing]:
    rows = revision.suppressing(connection, key)
    return {row["capture_id"]: _fact(row, row["capture_id"], row["received_at"], policy) for row in rows}


def _fact(row: RowMapping, capture: int, since: datetime, policy: Policy) -> Standing:
    reason = Reason(row["reason"])
    return Standing(Category(row["category"]), reason, since, policy.expires(reason, since), capture)


def _held(fact: Standing, row: RowMapping | None) -> Standing:
    if row and row["state"] == State.HELD and row["reason"] == fact.reason:
        return replace(fact, state=State.HELD, incident=row["incident_id"])
    return fact


def _content(each: Standing) -> tuple[str, str]:
    return each.category, each.reason


def _write(
    connection: Connection, rows: Mapping[Key, RowMapping], after: Facts, gone: Iterable[Key], policy: Policy
) -> list[Event]:
    written = standing.write(connection, rows, dict(after))
    now = datetime.now(UTC)
    made = [
        Effect(key, Change.ADDED, after[key], now)
        for key in after
        if key in written and after[key].state is State.ACTIVE and not _holds(rows.get(key))
    ]
    made += [
        Effect(key, Change.LIFTED, standing.standing(rows[key]), now, why="judged again")
        for key in gone
        if _holds(rows[key])
    ]
    standing.remove(connection, [rows[key] for key in gone])
    dead = {key.address: each.since for key, each in after.items() if each.category in PERMANENT_CAUSES}
    everyones, told = everyone.gather(connection, dead, policy, now)
    return [*changes.record(connection, [*made, *everyones]), *told]


def _holds(row: RowMapping | None) -> bool:
    return row is not None and row["state"] == State.ACTIVE
