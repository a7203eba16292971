"""Suppressions for everyone: addresses that bounced for good, proven, in accounts of several owners."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, or_, select

from handlers import effects
from handlers.effects import PERMANENT_CAUSES, Policy, Report, Source, Standing, State
from handlers.events import Event, EventType
from handlers.words import BounceType, Category, NoticeForm, Reason
from storage import standing
from storage.changes import Change, Effect
from storage.standing import Key, chunks
from storage.tables import account, bounce, capture, suppression

_LIKELY = (
    select(suppression.c.address)
    .where(suppression.c.address.in_(bindparam("addresses", expanding=True)), suppression.c.account_id.is_not(None))
    .group_by(suppression.c.address)
    .having(func.count() >= bindparam("enough"))
)
_MOST = 10_000  # reports of one address that are looked at, the newest


def gather(
    connection: Connection, addresses: Mapping[str, datetime], policy: Policy, now: datetime
) -> tuple[list[Effect], list[Event]]:
    """Suppress for everyone those of these addresses that bounced in enough accounts; what became of that.

    With each comes when it bounced: only an older report than those that were enough can change when that was.
    """
    likely = [each for chunk in chunks(sorted(addresses)) for each in _likely(connection, list(chunk), policy)]
    keys = [Key(address, None) for address in likely]
    before = standing.read(connection, keys) if keys else {}
    after: dict[Key, Standing] = {}
    for key in keys:
        stands = standing.standing(before[key]) if key in before else None
        if _is_settled(stands, addresses[key.address]):
            continue
        if found := _judge(connection, key.address, stands, policy, now):
            after[key] = found
    if not after:
        return [], []
    written = standing.write(connection, before, after)
    new = [key for key in after if key in written and not (key in before and before[key]["state"] == State.ACTIVE)]
    made = [Effect(key, Change.ADDED, after[key], after[key].since) for key in new]
    return made, [event for each in made for event in _events(connection, each)]


def mature(connection: Connection, policy: Policy, since: datetime, now: datetime) -> tuple[list[Effect], list[Event]]:
    """The same for what bounced in accounts that have come of age since then."""
    age = policy.global_account_age
    grown = select(account.c.id).where(account.c.created_at > since - age, account.c.created_at <= now - age)
    found = select(suppression.c.address).where(suppression.c.account_id.in_(grown))
    return gather(connection, dict.fromkeys(connection.execute(found).scalars(), now), policy, now)


def _is_settled(stands: Standing | None, at: datetime) -> bool:
    holds = stands is not None and stands.state is State.ACTIVE
    return stands is not None and holds and (stands.source is not Source.ACCOUNTS or at >= stands.since)


def _likely(connection: Connection, addresses: list[str], policy: Policy) -> list[str]:
    """Those with suppressions in enough accounts: nearly none, so the rest costs nothing."""
    given = {"addresses": addresses, "enough": policy.global_accounts}
    return list(connection.execute(_LIKELY, given).scalars())


def _judge(
    connection: Connection, address: str, stands: Standing | None, policy: Policy, now: datetime
) -> Standing | None:
    """The suppression for everyone, of the earliest reports that are enough; None where they are not."""
    rows = _reports(connection, address, now - policy.incident_window)
    reports = [Report(row["received_at"], _owner(row), row["created_at"]) for row in rows]
    lifted = stands.lifted_at if stands else None
    at = effects.everywhere(reports, policy, now, lifted)
    if at is None:
        return None
    last = max(
        (row for row in rows if row["received_at"] <= at), key=lambda row: (row["received_at"], row["capture_id"])
    )
    return Standing(
        Category(last["category"]),
        Reason(last["reason"]),
        since=at,
        source=Source.ACCOUNTS,
        type=BounceType.GLOBAL,
        lifted_at=lifted,
    )


def _reports(connection: Connection, address: str, waited: datetime) -> list[RowMapping]:
    """The proven bounces for a permanent cause; not those that an account lifted the suppression of since.

    What waits before it suppresses (handlers.effects.speaks_of_address) counts where it came before `waited`.
    """
    own = and_(suppression.c.address == bounce.c.address_key, suppression.c.account_id == bounce.c.account_id)
    of_account = account.c.created_at, account.c.owner, bounce.c.account_id
    statement = (
        select(bounce.c.capture_id, bounce.c.category, bounce.c.reason, capture.c.received_at, *of_account)
        .join_from(bounce, capture, bounce.c.capture_id == capture.c.id)
        .join(account, account.c.id == bounce.c.account_id)
        .join(suppression, own, isouter=True)
        .where(
            bounce.c.address_key == address,
            bounce.c.suppresses,
            bounce.c.category.in_(PERMANENT_CAUSES),
            or_(
                bounce.c.category == Category.UNKNOWN_USER,
                capture.c.notice_form == NoticeForm.DSN,
                capture.c.received_at <= waited,
            ),
            or_(suppression.c.lifted_at.is_(None), capture.c.received_at > suppression.c.lifted_at),
        )
        .order_by(bounce.c.id.desc())
        .limit(_MOST)
    )
    return list(connection.execute(statement).mappings())


def _owner(row: RowMapping) -> str:
    """An account without an owner is one of its own."""
    return f"owner {row['owner']}" if row["owner"] is not None else f"account {row['account_id']}"


def _events(connection: Connection, each: Effect) -> Iterator[Event]:
    """For the operator, and for each account in which the address bounced: the others were never asked about it."""
    known = select(suppression.c.account_id).where(
        suppression.c.address == each.key.address, suppression.c.account_id.is_not(None)
    )
    data = {"address": each.key.address, "type": str(BounceType.GLOBAL)}
    fact = f"{EventType.BOUNCE_GLOBAL}:{each.key.address}:{each.at.isoformat()}"
    for account_id in (None, *sorted(connection.execute(known).scalars())):
        yield Event(EventType.BOUNCE_GLOBAL, f"{fact}:{account_id or 'all'}", account_id, None, data, each.at)
