"""What becomes of suppressions when the verdicts of stored captures change.

A suppression is the strongest of what suppresses its address since a person lifted it (handlers/effects.py). So those
whose captures say something else now are worked out anew, from all that is stored. What a person said is never touched.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping

from handlers.effects import PERMANENT_CAUSES, SAID, Policy, Standing, State
from handlers.events import Event
from handlers.outcome import Outcome
from storage import changes, everyone, holding, revision, standing
from storage.changes import Change, Effect
from storage.holding import Waves
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
            if was != new:
                self._said.setdefault(key, {})[old.id] = new

    def settle(self, connection: Connection, *, dry: bool = False) -> list[Event]:
        """Store them, or only count, in the transaction that stored the verdicts: the events are put last in it."""
        if not self._said:
            return []
        rows = standing.read(connection, list(self._said), lock=not dry)
        after: dict[Key, Standing] = {}
        gone: list[Key] = []
        now = datetime.now(UTC)
        for key, facts, waves in self._facts(connection, rows):
            row = rows.get(key)
            if row is None or row["source"] not in SAID or row["state"] != State.ACTIVE:
                best = holding.work_out(key, facts, row, waves, now)
                if best is not None:
                    self._put(key, row, best, after)
                elif row is not None and row["state"] != State.LIFTED:
                    gone.append(key)
        self.removed += len(gone)
        return [] if dry else _write(connection, rows, after, gone, self._policy)

    def _facts(
        self, connection: Connection, rows: Mapping[Key, RowMapping]
    ) -> Iterator[tuple[Key, list[Standing], Waves]]:
        """For each address all that suppresses it by now, with the waves that brought it."""
        stored = holding.stored(connection, self._said.keys(), self._policy)
        facts = {key: {**stored.get(key, {}), **said} for key, said in self._said.items()}
        captures = [number for each in facts.values() for number in each]
        waves = holding.brought(connection, captures, rows.values())
        for key, by_capture in facts.items():
            yield key, [each for each in by_capture.values() if each], waves

    def _put(self, key: Key, row: RowMapping | None, best: Standing, after: dict[Key, Standing]) -> None:
        was = standing.standing(row) if row else None
        if was is None or was.state is State.LIFTED:
            self.added += 1
        elif was.capture == best.capture:
            same = (was.category, was.reason) == (best.category, best.reason)
            if same and (was.state is State.EXPIRED or _waits(was) == _waits(best)):
                return
            self.changed += not same
        after[key] = best


def follows(stored: Stored, policy: Policy) -> dict[Key, Standing]:
    """What a capture suppresses as it is stored."""
    return {
        Key(row["address_key"], row["account_id"]): holding.fact(row, stored.capture, policy)
        for row in stored.bounces
        if row["suppresses"]
    }


def facts(old: Stored, outcome: Outcome, policy: Policy) -> dict[Key, Standing]:
    """What a capture suppresses as it is judged now."""
    since, form = old.capture["received_at"], outcome.notice_form
    return {
        revision.key_of(each): policy.suppression(each.category, each.reason, since, form, old.id)
        for each in outcome.suppressions
    }


def _waits(each: Standing) -> tuple[State, datetime | None, int | None]:
    return each.state, each.held_until, each.incident


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
        Effect(key, Change.HELD, after[key], now, State.ACTIVE if _holds(rows.get(key)) else None)
        for key in after
        if key in written and after[key].state is State.HELD and not (key in rows and rows[key]["state"] == State.HELD)
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
