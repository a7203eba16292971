"""Everything about an address is removed (GDPR 17); that it must not be mailed stays, as a keyed hash.

What is left of a capture is when it came, how many octets it had, and what it was: no word of it. Deliveries go with
their states, and messages that had no other.
"""

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    Text,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from handlers.effects import State
from storage import hashing
from storage.columns import address_key
from storage.naming import is_named, is_named_in_mail, longest_run
from storage.shapes import moment
from storage.standing import chunks
from storage.tables import (
    account,
    arrival,
    bounce,
    capture,
    delivery,
    delivery_state,
    erasure,
    event,
    event_count,
    hand_link,
    message,
    refusal,
    state_change,
    suppression,
    suppression_change,
    waiting,
)
from storage.webhook_tables import dispatch

_SAYING = ("reverse_path", "forward_paths", "subject", "report", "recipients", "links", "hints", "faults")
_PAGE = 50
_NOTHING: dict[str, Any] = {
    "reverse_path": "",
    "forward_paths": [],
    "subject": "",
    "message_id": None,
    "report": {},
    "links": [],
    "hints": None,
    "faults": [],
    "raw": zlib.compress(b""),
}


@dataclass(frozen=True, slots=True)
class Order:
    """Whose address is to be erased, and on whose word."""

    address: str
    account_id: int | None  # None: in all accounts
    who: str
    why: str
    now: datetime

    @property
    def key(self) -> str:
        return address_key(self.address)


@dataclass(frozen=True, slots=True)
class Read:
    """A page of captures that was read."""

    number: int
    last: int  # its last id
    naming: tuple[int, ...]  # those of them that name the address anywhere, also in their octets


def read(connection: Connection, order: Order, after: int) -> Read | None:
    """The next captures behind this id; None where there are no more."""
    columns = [capture.c[name] for name in (*_SAYING, "id")]
    statement = select(*columns).where(capture.c.erased_at.is_(None), _whose(capture, order), capture.c.id > after)
    rows = connection.execute(statement.order_by(capture.c.id).limit(_PAGE)).mappings().all()
    if not rows:
        return None
    return Read(len(rows), rows[-1]["id"], tuple(row["id"] for row in rows if _names(connection, row, order.address)))


def _names(connection: Connection, row: RowMapping, address: str) -> bool:
    """One mail at a time is in memory: they may be large."""
    if is_named(address, [row[name] for name in _SAYING]):
        return True
    raw = connection.execute(select(capture.c.raw).where(capture.c.id == row["id"])).scalar_one()
    return is_named_in_mail(address, zlib.decompress(raw))


def erase(
    connection: Connection, order: Order, captures: Iterable[int], journal: Collection[int] = ()
) -> dict[str, Any]:
    """Remove all of it, in the caller's transaction; the certificate, which is stored too.

    `captures` are those that name the address, `journal` the positions of mails in the journal that do.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # or deleted rows stay readable in the file
    hashed = hashing.hashed(order.key, hashing.ensure_key(connection))
    gone: Counter[str] = Counter()
    deliveries = _deliveries(connection, order)
    ids = {*captures, *_captures_of(connection, order, deliveries)}
    _events(connection, order, deliveries, gone)
    _bounces(connection, order, deliveries, gone)
    _scrub(connection, order, ids, gone)
    _sent(connection, deliveries, gone)
    kept = _hash(connection, order, hashed, gone)
    certificate = {
        "address_hash": hashed,
        "account": _account(connection, order),
        "at": moment(order.now),
        "who": order.who,
        "why": order.why,
        "removed": dict(sorted(gone.items())),
        "suppressions_kept_as_hash": kept,
        "still_in_journal": sorted(journal),
    }
    row = {"address_hash": hashed, "account_id": order.account_id, "at": order.now, "who": order.who, "why": order.why}
    connection.execute(insert(erasure), {**row, "certificate": certificate})
    return certificate


def certificates(connection: Connection, address: str, account_id: int | None = None) -> list[dict[str, Any]]:
    """What was removed of an address, each time; for an account what it had removed of its own."""
    hash_key = hashing.key(connection)
    if hash_key is None:
        return []
    found = erasure.c.address_hash == hashing.hashed(address_key(address), hash_key)
    whose = true() if account_id is None else erasure.c.account_id == account_id
    return list(connection.execute(select(erasure.c.certificate).where(found, whose).order_by(erasure.c.id)).scalars())


def _whose(table: Table, order: Order) -> ColumnElement[bool]:
    return table.c.account_id == order.account_id if order.account_id is not None else true()


def _account(connection: Connection, order: Order) -> str | None:
    name: str | None = connection.execute(select(account.c.name).where(account.c.id == order.account_id)).scalar()
    return name


def _deliveries(connection: Connection, order: Order) -> list[int]:
    statement = select(delivery.c.id).join_from(delivery, message).where(delivery.c.recipient_key == order.key)
    if order.account_id is not None:
        statement = statement.where(message.c.account_id == order.account_id)
    return list(connection.execute(statement).scalars())


def _captures_of(connection: Connection, order: Order, deliveries: list[int]) -> Iterator[int]:
    yield from connection.execute(
        select(bounce.c.capture_id).where(bounce.c.address_key == order.key, _whose(bounce, order))
    ).scalars()
    for chunk in chunks(deliveries):
        yield from connection.execute(select(capture.c.id).where(capture.c.delivery_id.in_(chunk))).scalars()


def _events(connection: Connection, order: Order, deliveries: list[int], gone: Counter[str]) -> None:
    """Those of its deliveries, and those that name it; what was queued of them for webhooks goes along."""
    run = longest_run(order.address)
    text = or_(func.lower(cast(event.c.data, Text)).contains(run), func.lower(event.c.key).contains(run))
    statement = select(event.c.id, event.c.key, event.c.data).where(text, _whose(event, order))
    ids = {row.id for row in connection.execute(statement) if is_named(order.address, [row.key, row.data])}
    for chunk in chunks(deliveries):
        ids.update(connection.execute(select(event.c.id).where(event.c.delivery_id.in_(chunk))).scalars())
    _delete(connection, dispatch, dispatch.c.event_id, ids, gone)
    _delete(connection, event, event.c.id, ids, gone)


def _bounces(connection: Connection, order: Order, deliveries: list[int], gone: Counter[str]) -> None:
    of_address = bounce.c.address_key == order.key, _whose(bounce, order)
    gone["bounce"] += connection.execute(delete(bounce).where(*of_address)).rowcount
    _delete(connection, bounce, bounce.c.delivery_id, deliveries, gone)


def _scrub(connection: Connection, order: Order, ids: Collection[int], gone: Counter[str]) -> None:
    """Nothing of what a capture says stays but the lines of its other recipients; nothing of it is waited for."""
    for chunk in chunks(sorted(ids)):
        for row in connection.execute(select(capture.c.id, capture.c.recipients).where(capture.c.id.in_(chunk))):
            others = [each for each in row.recipients if not is_named(order.address, each)]
            values = {**_NOTHING, "recipients": others, "erased_at": order.now}
            connection.execute(update(capture).where(capture.c.id == row.id), values)
            gone["capture"] += 1
        _scrub_bounces(connection, order, chunk)
    _delete(connection, waiting, waiting.c.capture_id, ids, gone)


def _scrub_bounces(connection: Connection, order: Order, captures: Sequence[int]) -> None:
    """What a server said of another recipient of the same capture, where it names the address."""
    statement = select(bounce.c.id, bounce.c.diagnostic, bounce.c.span).where(bounce.c.capture_id.in_(captures))
    for row in connection.execute(statement):
        if is_named(order.address, [row.diagnostic, row.span]):
            connection.execute(update(bounce).where(bounce.c.id == row.id), {"diagnostic": None, "span": ""})


def _sent(connection: Connection, deliveries: list[int], gone: Counter[str]) -> None:
    if not deliveries:
        return
    messages: set[int] = set()
    for chunk in chunks(deliveries):
        messages.update(connection.execute(select(delivery.c.message_id).where(delivery.c.id.in_(chunk))).scalars())
        connection.execute(update(capture).where(capture.c.delivery_id.in_(chunk)).values(delivery_id=None))
    for table in (arrival, hand_link, state_change, delivery_state, event_count):
        _delete(connection, table, table.c.delivery_id, deliveries, gone)
    _delete(connection, delivery, delivery.c.id, deliveries, gone)
    left = select(delivery.c.message_id).distinct()
    for chunk in chunks(sorted(messages)):
        empty = message.c.id.in_(chunk), message.c.id.not_in(left.where(delivery.c.message_id.in_(chunk)))
        gone["message"] += connection.execute(delete(message).where(*empty)).rowcount


def _hash(connection: Connection, order: Order, hashed: str, gone: Counter[str]) -> int:
    """The hash takes the place of the address, also in what waves are counted by: what waits is still of one."""
    rows = _of_address(connection, order, order.key)
    older = {row["account_id"]: row for row in _of_address(connection, order, hashed)}
    for row in rows:
        before = older.get(row["account_id"])
        weaker = row if before and _outlasts(before, row) else before
        if weaker:
            connection.execute(delete(suppression).where(suppression.c.id == weaker["id"]))
        values = {"address": hashed, "capture_id": None}
        connection.execute(update(suppression).where(suppression.c.id == row["id"]), values)
    of_waves = refusal.c.address == order.key, _whose(refusal, order)
    waves = connection.execute(update(refusal).where(*of_waves), {"address": hashed})
    gone["refusal (kept as hash)"] += waves.rowcount
    of_log = suppression_change.c.address == order.key, _whose(suppression_change, order)
    changed = connection.execute(update(suppression_change).where(*of_log), {"address": hashed, "capture_id": None})
    gone["suppression_change (kept as hash)"] += changed.rowcount
    return len(rows)


def _of_address(connection: Connection, order: Order, address: str) -> list[RowMapping]:
    statement = select(suppression).where(suppression.c.address == address, _whose(suppression, order))
    return list(connection.execute(statement).mappings())


def _outlasts(one: RowMapping, other: RowMapping) -> bool:
    """Whether it holds, and longer: what was suppressed for good stays so, when the address is erased again."""
    if one["state"] != State.ACTIVE or other["state"] != State.ACTIVE:
        return bool(one["state"] == State.ACTIVE)
    return other["expires_at"] is not None and (one["expires_at"] is None or one["expires_at"] > other["expires_at"])


def _delete(
    connection: Connection, table: Table, column: ColumnElement[Any], keys: Collection[int], gone: Counter[str]
) -> None:
    for chunk in chunks(sorted(keys)):
        gone[table.name] += connection.execute(delete(table).where(column.in_(chunk))).rowcount
