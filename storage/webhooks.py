"""The endpoints of webhooks, as commands and API show and change them.

`account_id` says whose endpoints are meant; None is the operator, who sees those of everybody.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from handlers.events import EventType
from storage import accounts, forgetting
from storage.shapes import moment
from storage.tables import account
from storage.webhook_tables import dispatch, webhook

MOST = 20  # endpoints of one account
STATES = ("enabled", "broken", "disabled")


class TooMany(ValueError):
    """The account has as many endpoints as it may."""


def add(
    connection: Connection, account_id: int | None, url: str, types: Sequence[EventType], secret: str, now: datetime
) -> dict[str, Any]:
    """A new endpoint; it is told what happens from now on. The URL has been read by server.webhooks.target.

    No types: all of them. Raises TooMany.
    """
    _check_room(connection, account_id)
    row = {
        "account_id": account_id,
        "url": url,
        "events": _plain(types),
        "secrets": [{"secret": secret, "until": None}],
        "after_event": forgetting.last(connection),
        "created_at": now,
        **_FRESH,
    }
    new = connection.execute(insert(webhook).values(row).returning(webhook.c.id)).scalar_one()
    return _present(get(connection, account_id, new))


def listing(connection: Connection, account_id: int | None = None) -> list[dict[str, Any]]:
    """Every endpoint as `webhooks --json` shows it: without its secrets."""
    rows = connection.execute(_whose(_SHOWN, account_id).order_by(webhook.c.id)).mappings().all()
    counts = _counts(connection, [row["id"] for row in rows])
    return [_shape(row, counts) for row in rows]


def get(connection: Connection, account_id: int | None, webhook_id: int) -> dict[str, Any] | None:
    """One of them; None where this account has no such endpoint."""
    statement = _whose(_SHOWN, account_id).where(webhook.c.id == webhook_id)
    row = connection.execute(statement).mappings().first()
    return _shape(row, _counts(connection, [webhook_id])) if row else None


def change(
    connection: Connection,
    account_id: int | None,
    webhook_id: int,
    *,
    url: str | None = None,
    types: Sequence[EventType] | None = None,
) -> bool:
    """Give it another URL, or other types. False where there is none."""
    values: dict[str, Any] = {}
    if url is not None:
        values |= {"url": url}
    if types is not None:
        values |= {"events": _plain(types)}
    return (
        get(connection, account_id, webhook_id) is not None
        if not values
        else _update(connection, account_id, webhook_id, values)
    )


def enable(connection: Connection, account_id: int | None, webhook_id: int) -> bool:
    """Let a broken or disabled one be tried at once. One that was disabled missed what happened meanwhile:
    redeliver() brings that. False where there is none."""
    shown = get(connection, account_id, webhook_id)
    if shown is None:
        return False
    missed = {"after_event": forgetting.last(connection)} if shown["state"] == "disabled" else {}
    return _update(connection, account_id, webhook_id, {**_FRESH, **missed})


def disable(connection: Connection, account_id: int | None, webhook_id: int, why: str) -> bool:
    """Send nothing to it any more, and queue nothing more; what is queued waits. False where there is none."""
    return _update(connection, account_id, webhook_id, {**_FRESH, "state": "disabled", "why": why})


def remove(connection: Connection, account_id: int | None, webhook_id: int) -> bool:
    """Forget it, with its queue and history. False where there is none."""
    return connection.execute(delete(webhook).where(*_own(account_id, webhook_id))).rowcount > 0


def rotate(
    connection: Connection,
    account_id: int | None,
    webhook_id: int,
    secret: str,
    now: datetime,
    overlap: timedelta = timedelta(hours=24),
) -> bool:
    """Sign with this secret too; the present one signs along until the overlap ends, older ones no more.

    False where there is none.
    """
    statement = select(webhook.c.secrets).where(*_own(account_id, webhook_id)).with_for_update()
    present = connection.execute(statement).scalar()
    if present is None:
        return False
    old = {"secret": present[0]["secret"], "until": moment(now + overlap)}
    return _update(connection, account_id, webhook_id, {"secrets": [{"secret": secret, "until": None}, old]})


def secrets(connection: Connection, account_id: int | None, webhook_id: int, now: datetime) -> list[str]:
    """The secrets that sign now, newest first."""
    found = connection.execute(select(webhook.c.secrets).where(*_own(account_id, webhook_id))).scalar()
    return live(found or [], now)


def live(stored: Sequence[Mapping[str, Any]], now: datetime) -> list[str]:
    """Those of a column `secrets` that sign now."""
    return [each["secret"] for each in stored if not each["until"] or datetime.fromisoformat(each["until"]) > now]


_FRESH = {"state": "enabled", "why": None, "failures": 0, "broken_since": None, "probe_at": None}
_SHOWN = select(*webhook.c, account.c.name.label("account")).join_from(
    webhook, account, webhook.c.account_id == account.c.id, isouter=True
)


def _whose(statement: Select[Any], account_id: int | None) -> Select[Any]:
    return statement if account_id is None else statement.where(webhook.c.account_id == account_id)


def _own(account_id: int | None, webhook_id: int) -> list[Any]:
    whose = [] if account_id is None else [webhook.c.account_id == account_id]
    return [webhook.c.id == webhook_id, *whose]


def _update(connection: Connection, account_id: int | None, webhook_id: int, values: dict[str, Any]) -> bool:
    return connection.execute(update(webhook).where(*_own(account_id, webhook_id)).values(values)).rowcount > 0


def _plain(types: Sequence[EventType]) -> list[str]:
    return [str(each) for each in dict.fromkeys(types)]


def _present(shown: dict[str, Any] | None) -> dict[str, Any]:
    if shown is None:
        raise AssertionError("it was stored in this transaction")
    return shown


def _check_room(connection: Connection, account_id: int | None) -> None:
    """Raises TooMany. The operator, who names no account, has no limit."""
    if account_id is None:
        return
    accounts.lock(connection, account_id)
    number = select(func.count()).select_from(webhook).where(webhook.c.account_id == account_id)
    if connection.execute(number).scalar_one() >= MOST:
        raise TooMany(f"an account has at most {MOST} webhooks: remove one first")


def _counts(connection: Connection, ids: Sequence[int]) -> dict[tuple[int, str], int]:
    """How many dispatches each endpoint has in each state."""
    counted = (
        select(dispatch.c.webhook_id, dispatch.c.state, func.count())
        .where(dispatch.c.webhook_id.in_(ids))
        .group_by(dispatch.c.webhook_id, dispatch.c.state)
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(counted)}


def _shape(row: RowMapping, counts: Mapping[tuple[int, str], int]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "account": row["account"],
        "url": row["url"],
        "events": row["events"] or [str(each) for each in EventType],
        "state": row["state"],
        "why": row["why"],
        "failures": row["failures"],
        "probe_at": moment(row["probe_at"]),
        **{state: counts.get((row["id"], state), 0) for state in ("queued", "delivered", "dead")},
        "created_at": moment(row["created_at"]),
    }
