"""Refusals that speak of the sender: counted, and a wave of them is an incident that holds what it suppresses."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, delete, exists, func, or_, select, update

from handlers import causes
from handlers.effects import Policy, Source, Standing, State
from handlers.events import Event, EventType
from handlers.outcome import Bounce, Outcome
from storage import standing
from storage.changes import Change, Effect
from storage.columns import address_key
from storage.incidents import CONFIRMED
from storage.shapes import moment
from storage.tables import bounce, capture, incident, refusal, suppression
from storage.upsert import insert_new

_RUNNING = select(incident).where(
    incident.c.closed_at.is_(None), incident.c.account_id.in_(bindparam("accounts", expanding=True))
)


class Wave(NamedTuple):
    """What belongs together."""

    account: int
    provider: str
    reason: str


@dataclass(frozen=True, slots=True)
class Watched:
    """The incidents that run, once a batch was counted."""

    running: Mapping[Wave, RowMapping]
    effects: tuple[Effect, ...] = ()  # of what is held since
    events: tuple[Event, ...] = ()

    def judged(self, wave: Wave | None, new: Standing) -> Standing:
        """What an incident makes of a suppression that is of this wave."""
        found = self.running.get(wave) if wave else None
        return new if found is None else judged(new, found["id"], confirmed=found["decision"] == CONFIRMED)


def judged(new: Standing, incident: int, *, confirmed: bool) -> Standing:
    """A suppression that an incident caused: it waits for a person's word, and for no time."""
    return replace(new, state=State.ACTIVE if confirmed else State.HELD, incident=incident, held_until=None)


def wave_of(each: Bounce) -> Wave:
    """Where a bounce belongs, should it speak of the sender."""
    return Wave(each.account.id, causes.provider(each.recipient.remote_mta, each.address), str(each.verdict.reason))


def watch(connection: Connection, outcomes: Sequence[Outcome], policy: Policy) -> Watched:
    """Count the refusals of a batch whose bounces are stored; open an incident for each wave that is one too many."""
    rows = list(_refusals(outcomes))
    if not rows:
        return Watched({})
    connection.execute(insert_new(connection, refusal), rows)
    running = _running(connection, {row["account_id"] for row in rows})
    waves = [Wave(row["account_id"], row["provider"], row["reason"]) for row in rows]
    _count(connection, running, rows, waves)
    new = {wave for wave in waves if wave not in running}
    if not new:
        return Watched(running)
    opened = list(_open(connection, new, max(row["received_at"] for row in rows), policy))
    if not opened:
        return Watched(running)
    held = [effect for row in opened for effect in _hold(connection, row)]
    running = _running(connection, {row["account_id"] for row in rows})
    return Watched(running, tuple(held), tuple(_event(EventType.INCIDENT_OPENED, row) for row in opened))


def _refusals(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    for outcome in outcomes:
        for each in outcome.bounces:
            if each.proven and each.verdict.reason in causes.of_the_sender():
                wave = wave_of(each)
                yield {
                    "account_id": wave.account,
                    "provider": wave.provider,
                    "reason": wave.reason,
                    "address": address_key(each.address),
                    "received_at": outcome.mail.envelope.received_at,
                    "capture_id": outcome.mail.position,
                }


def _running(connection: Connection, accounts: set[int]) -> dict[Wave, RowMapping]:
    rows = connection.execute(_RUNNING, {"accounts": sorted(accounts)}).mappings()
    return {Wave(row["account_id"], row["provider"], row["reason"]): row for row in rows}


def _count(
    connection: Connection, running: Mapping[Wave, RowMapping], rows: Sequence[dict[str, Any]], waves: Sequence[Wave]
) -> None:
    """What goes on belongs to the incident that runs."""
    seen: dict[Wave, datetime] = {}
    more: Counter[Wave] = Counter()
    for wave, row in zip(waves, rows, strict=True):
        if wave in running:
            more[wave] += 1
            seen[wave] = max(row["received_at"], seen.get(wave, running[wave]["last_at"]))
    if more:
        statement = update(incident).where(incident.c.id == bindparam("row_id"))
        connection.execute(
            statement.values(refusals=incident.c.refusals + bindparam("more"), last_at=bindparam("seen")),
            [{"row_id": running[wave]["id"], "more": more[wave], "seen": seen[wave]} for wave in more],
        )


def _open(connection: Connection, waves: set[Wave], last: datetime, policy: Policy) -> Iterator[RowMapping]:
    """Those of which enough different addresses were refused within the window that ends with the batch."""
    columns = refusal.c.account_id, refusal.c.provider, refusal.c.reason
    addresses = func.count(refusal.c.address.distinct())
    statement = (
        select(*columns, func.min(refusal.c.received_at), func.max(refusal.c.received_at), func.count())
        .where(
            refusal.c.account_id.in_({wave.account for wave in waves}),
            refusal.c.provider.in_({wave.provider for wave in waves}),
            refusal.c.reason.in_({wave.reason for wave in waves}),
            refusal.c.received_at > last - policy.incident_window,
        )
        .group_by(*columns)
        .having(addresses >= policy.incident_addresses)
    )
    for *wave, began, latest, number in connection.execute(statement).all():
        if Wave(*wave) in waves:
            row = dict(zip(("account_id", "provider", "reason"), wave, strict=True))
            new = insert_new(connection, incident).returning(*incident.c)
            times = {"began_at": began, "opened_at": latest, "last_at": latest, "refusals": number}
            yield from connection.execute(new, [{**row, **times}]).mappings()


def _hold(connection: Connection, opened: RowMapping) -> list[Effect]:
    """The suppressions that the wave caused before it was one; what another bounce suppresses too stays."""
    caused = select(refusal.c.address).where(_of_wave(opened), refusal.c.received_at >= opened["began_at"])
    another = bounce.alias()
    otherwise = (
        exists(another.c.id)
        .where(
            another.c.address_key == suppression.c.address,
            another.c.account_id == suppression.c.account_id,
            another.c.suppresses,
            another.c.capture_id == capture.c.id,
            or_(suppression.c.lifted_at.is_(None), capture.c.received_at > suppression.c.lifted_at),
            ~exists(refusal.c.id).where(
                _of_wave(opened),
                refusal.c.capture_id == another.c.capture_id,
                refusal.c.received_at >= opened["began_at"],
            ),
        )
        .correlate(suppression)
    )
    statement = select(suppression).where(
        suppression.c.account_id == opened["account_id"],
        suppression.c.address.in_(caused),
        or_(
            suppression.c.state == State.ACTIVE,
            and_(suppression.c.state == State.HELD, suppression.c.incident_id.is_(None)),
        ),
        suppression.c.source == Source.BOUNCE,
        suppression.c.reason == opened["reason"],
        ~otherwise,
    )
    rows = connection.execute(statement.with_for_update()).mappings().all()
    before = standing.by_key(rows)
    after = standing.turned(rows, state=State.HELD, incident=opened["id"], held_until=None)
    standing.write(connection, before, after)
    at = opened["opened_at"]
    return [Effect(key, Change.HELD, each, at, was=State(before[key]["state"])) for key, each in after.items()]


def _of_wave(row: RowMapping) -> ColumnElement[bool]:
    return and_(
        refusal.c.account_id == row["account_id"],
        refusal.c.provider == row["provider"],
        refusal.c.reason == row["reason"],
    )


def close(connection: Connection, policy: Policy, now: datetime) -> list[Event]:
    """Close those that have been quiet for long enough, and forget refusals that count no more."""
    quiet = incident.c.last_at <= now - policy.incident_quiet
    statement = update(incident).where(incident.c.closed_at.is_(None), quiet).values(closed_at=now)
    closed = connection.execute(statement.returning(*incident.c)).mappings().all()
    connection.execute(delete(refusal).where(refusal.c.received_at < now - 2 * policy.incident_window))
    return [_event(EventType.INCIDENT_CLOSED, row) for row in closed]


def _event(kind: EventType, row: RowMapping) -> Event:
    at = row["closed_at"] or row["opened_at"]
    data = {
        "incident": row["id"],
        "provider": row["provider"],
        "reason": row["reason"],
        "began_at": moment(row["began_at"]),
        "refusals": row["refusals"],
    }
    return Event(kind, f"{kind}:{row['id']}", row["account_id"], None, data, at)
