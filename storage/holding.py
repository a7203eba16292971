"""Suppressions that wait, worked out from all that is stored once something of them waits no more.

What a server says of the mail or of the sender suppresses nobody until the window of incidents has passed
(handlers.effects.Policy.suppression): only then is it known that no wave brought it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, and_, or_, select

from handlers import effects
from handlers.effects import PERMANENT_CAUSES, SAID, Policy, Standing, State
from handlers.events import Event
from handlers.words import Category, NoticeForm, Reason
from storage import everyone, incidents, refusals, standing
from storage.changes import Change, Effect
from storage.standing import Key, chunks
from storage.tables import bounce, capture, incident, refusal, suppression

_MOST = 2000  # in one transaction
Facts = Mapping[int, Standing]  # by capture, what suppresses one address


@dataclass(frozen=True, slots=True)
class Waited:
    """What came of those that waited; `more` of them are due."""

    effects: list[Effect]
    told: list[Event]
    more: bool


class Waves(NamedTuple):
    """Which incident brought what."""

    of: Mapping[tuple[int, str], int]  # by capture and address
    incidents: Mapping[int, RowMapping]

    def judge(self, key: Key, fact: Standing, row: RowMapping | None, now: datetime) -> Standing | None:
        """What stands of a fact by now; None where a person said that it was the sender."""
        found = self.incidents.get(self._number(key, fact, row) or 0)
        if found is None or not found["began_at"] <= fact.since <= (found["last_at"] if found["closed_at"] else now):
            over = fact.held_until is not None and fact.held_until <= now
            return replace(fact, state=State.ACTIVE, held_until=None) if over else fact
        if found["decision"] == incidents.RELEASED and fact.since <= found["decided_at"]:
            return None
        return refusals.judged(fact, found["id"], confirmed=found["decision"] == incidents.CONFIRMED)

    def _number(self, key: Key, fact: Standing, row: RowMapping | None) -> int | None:
        """What the row says outlasts what is kept of the refusals."""
        if row and row["incident_id"] and row["reason"] == fact.reason and row["state"] != State.LIFTED:
            return int(row["incident_id"])
        return self.of.get((fact.capture or 0, key.address))


def due(connection: Connection, policy: Policy, now: datetime) -> Waited:
    """Work out those of which something waits no more; the events are to be put last in the transaction."""
    statement = select(suppression).where(suppression.c.held_until <= now).order_by(suppression.c.held_until)
    rows = connection.execute(statement.limit(_MOST).with_for_update(skip_locked=True)).mappings().all()
    before = standing.by_key(rows)
    found = stored(connection, before, policy)
    waves = brought(connection, [number for facts in found.values() for number in facts], rows)
    after = {}
    for key, row in before.items():
        best = work_out(key, found.get(key, {}).values(), row, waves, now)
        after[key] = _known(standing.standing(row), best, now, erased=key not in found)
    kept = {key: each for key, each in after.items() if each is not None}
    standing.write(connection, before, kept)
    standing.remove(connection, [before[key] for key, each in after.items() if each is None])
    made = [
        Effect(key, Change.ADDED, each, before[key]["held_until"], State.HELD)
        for key, each in kept.items()
        if each.state is State.ACTIVE and before[key]["state"] != State.ACTIVE
    ]
    everyones, told = everyone.gather(connection, _dead(found), policy, now)
    return Waited([*made, *everyones], told, len(rows) == _MOST)


def work_out(
    key: Key, facts: Iterable[Standing], row: RowMapping | None, waves: Waves, now: datetime
) -> Standing | None:
    """The strongest of what suppresses an address since it was lifted, with what waits; None where nothing does."""
    lifted_at = row["lifted_at"] if row else None
    best: Standing | None = None
    for fact in facts:
        new = waves.judge(key, fact, row, now) if lifted_at is None or fact.since > lifted_at else None
        if new is not None:
            best = effects.strongest(best, new) or best
    return best and replace(best, lifted_at=lifted_at)


def stored(connection: Connection, keys: Collection[Key], policy: Policy) -> dict[Key, dict[int, Standing]]:
    """What suppresses these addresses, as it is stored, by capture; waiting or not is for judge() to say."""
    found: dict[Key, dict[int, Standing]] = {}
    columns = bounce.c.address_key, bounce.c.account_id, bounce.c.category, bounce.c.reason
    statement = select(*columns, capture.c.id, capture.c.received_at, capture.c.notice_form).join_from(
        bounce, capture, bounce.c.capture_id == capture.c.id
    )
    for chunk in chunks(sorted({key.address for key in keys})):
        wanted = statement.where(bounce.c.address_key.in_(chunk), bounce.c.suppresses)
        for row in connection.execute(wanted.order_by(bounce.c.id)).mappings():
            key = Key(row["address_key"], row["account_id"])
            if key in keys:
                found.setdefault(key, {})[row["id"]] = fact(row, row, policy)
    return found


def fact(bounced: RowMapping, captured: RowMapping, policy: Policy) -> Standing:
    """What a stored bounce suppresses."""
    form = NoticeForm(captured["notice_form"]) if captured["notice_form"] else None
    category, reason = Category(bounced["category"]), Reason(bounced["reason"])
    return policy.suppression(category, reason, captured["received_at"], form, captured["id"])


def brought(connection: Connection, captures: Collection[int], rows: Iterable[RowMapping]) -> Waves:
    """The incidents that brought what these captures say, as far as that is kept, and those that the rows name."""
    same = and_(
        incident.c.account_id == refusal.c.account_id,
        incident.c.provider == refusal.c.provider,
        incident.c.reason == refusal.c.reason,
        refusal.c.received_at >= incident.c.began_at,
        or_(incident.c.closed_at.is_(None), refusal.c.received_at <= incident.c.last_at),
    )
    of: dict[tuple[int, str], int] = {}
    statement = select(refusal.c.capture_id, refusal.c.address, incident.c.id).join_from(refusal, incident, same)
    for chunk in chunks(sorted(set(captures))):
        found = connection.execute(statement.where(refusal.c.capture_id.in_(chunk)).order_by(incident.c.id))
        of.update({(row[0], row[1]): row[2] for row in found})
    named = {*of.values(), *(row["incident_id"] for row in rows if row["incident_id"])}
    known: dict[int, RowMapping] = {}
    for numbers in chunks(sorted(named)):
        found = connection.execute(select(incident).where(incident.c.id.in_(numbers)))
        known.update({row["id"]: row for row in found.mappings()})
    return Waves(of, known)


def _known(stands: Standing, best: Standing | None, now: datetime, *, erased: bool) -> Standing | None:
    """What stands then; None where nothing is left that suppresses. Of an erased address the row is all there is."""
    if stands.state is State.ACTIVE and (best is None or stands.source in SAID):
        return replace(stands, held_until=None)
    if erased:
        waits = stands.state is State.HELD and stands.incident is None
        return replace(stands, state=State.ACTIVE if waits else stands.state, held_until=None)
    over = best is not None and best.expires_at is not None and best.expires_at <= now
    if best is not None and over and stands.state is State.EXPIRED:
        return replace(best, state=State.EXPIRED)
    return best


def _dead(found: Mapping[Key, Facts]) -> dict[str, datetime]:
    """The addresses that something of this says are dead, and since when."""
    dead: dict[str, datetime] = {}
    for key, facts in found.items():
        for each in facts.values():
            if each.category in PERMANENT_CAUSES:
                dead[key.address] = min(each.since, dead.get(key.address, each.since))
    return dead
