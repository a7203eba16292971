"""The mails received, with what was found out about each."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, bindparam, select

from handlers import inspection
from handlers.hints import hints, receiving_domain
from handlers.outcome import Outcome
from handlers.words import Detectability, Kind
from storage import batch, candidates, hand_links, originals, pages, shapes
from storage.tables import account, capture
from storage.upsert import insert_new

_KNOWN = select(capture.c.id).where(capture.c.id.between(bindparam("first"), bindparam("last")))
_RAW = select(capture.c.raw).where(capture.c.id == bindparam("id"))
SHOWN = originals.joined(capture, [column for column in capture.c if column.name != "raw"]).add_columns(
    hand_links.STANDING.label("hand_link_id")
)
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Filter:
    """Which captures: all of what is said here must hold."""

    contains: str | None = None  # in the subject, an id, a path of the envelope or the mail itself; case ignored
    kind: Kind | None = None
    detectability: Detectability | None = None
    since: int | None = None  # only those with a higher id
    before: int | None = None  # only those with a lower id
    account: str | None = None


def insert(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Store them and return those that were not there already; one journal position is stored once."""
    if not outcomes:
        return []
    positions = [outcome.mail.position for outcome in outcomes]
    found = connection.execute(_KNOWN, {"first": min(positions), "last": max(positions)})
    known = set(found.scalars())
    fresh: dict[int, Outcome] = {}
    for outcome in outcomes:
        if outcome.mail.position not in known:
            fresh.setdefault(outcome.mail.position, outcome)
    batch.write(connection, insert_new(connection, capture), [_row(outcome) for outcome in fresh.values()])
    return list(fresh.values())


def find(
    connection: Connection, wanted: Filter, *, raw: bool = False, newest_first: bool = False
) -> Iterator[dict[str, Any]]:
    """The captures as `captures --json` shows them, newest last; read as they are taken, a page at a time."""
    statement = _where(SHOWN, wanted)
    reads_raw = raw or wanted.contains is not None
    if reads_raw:
        statement = statement.add_columns(capture.c.raw)
    page = 50 if reads_raw else 500
    for row in pages.rows(connection, statement, capture.c.id, page=page, newest_first=newest_first):
        if not reads_raw:
            yield shape(connection, row)
            continue
        octets = zlib.decompress(row["raw"])
        if wanted.contains is None or _contains(row, octets, wanted.contains):
            shown = shape(connection, row)
            yield shapes.with_raw(shown, octets) if raw else shown


def get(connection: Connection, key: int) -> dict[str, Any] | None:
    """One capture as `captures --json` shows it."""
    if not 0 <= key <= _LARGEST_ID:
        return None
    row = connection.execute(SHOWN.where(capture.c.id == key)).mappings().first()
    return shape(connection, row) if row else None


def raw(connection: Connection, key: int) -> bytes | None:
    """The octets of one capture."""
    if not 0 <= key <= _LARGEST_ID:
        return None
    found = connection.execute(_RAW, {"id": key}).scalar()
    return None if found is None else zlib.decompress(found)


def shaped(
    connection: Connection, rows: Sequence[RowMapping], *, all_accounts: bool = True
) -> Iterator[dict[str, Any]]:
    """With what other tables know of each by now; candidates may be of any account."""
    linked = hand_links.of(connection, [row["hand_link_id"] for row in rows if row["hand_link_id"] is not None])
    for row in rows:
        shown = shapes.capture(row)
        if row["hints"] and all_accounts:
            stated = row["hints"]["stated_recipients"]
            shown["hints"] = row["hints"] | candidates.of(connection, stated, row["received_at"])
        shown["linked_by_hand"] = linked.get(row["hand_link_id"])
        yield shown


def shape(connection: Connection, row: RowMapping, *, all_accounts: bool = True) -> dict[str, Any]:
    """The same of one."""
    (shown,) = shaped(connection, [row], all_accounts=all_accounts)
    return shown


def _where(statement: Select[Any], wanted: Filter) -> Select[Any]:
    statement = pages.between(statement, capture.c.id, wanted.since, wanted.before)
    return pages.narrowed(
        statement,
        (capture.c.kind, wanted.kind),
        (capture.c.detectability, wanted.detectability),
        (account.c.name, wanted.account),
    )


def _contains(row: RowMapping, octets: bytes, text: str) -> bool:
    words = (row["subject"], row["message_id"] or "", row["reverse_path"], *row["forward_paths"])
    folded = text.casefold()
    if any(folded in word.casefold() for word in words):
        return True
    # the command line brings octets that are no UTF-8 as surrogates (PEP 383)
    try:
        return text.encode(errors="surrogateescape").lower() in octets.lower()
    except UnicodeEncodeError:
        return False


def findings(outcome: Outcome) -> dict[str, Any]:
    """The columns that parse, match and classify fill."""
    report = outcome.report
    mailed = {each.recipient: each.address for each in outcome.bounces if each.delivery}
    owner = outcome.delivery.message.account if outcome.delivery else outcome.account
    return {
        "kind": report.kind,
        "detectability": outcome.detectability,
        "notice_form": outcome.notice_form,
        "undetectable_reason": outcome.undetectable_reason,
        "gateway": report.gateway,
        "language": report.language,
        "receiving_domain": receiving_domain(report, outcome.delivery),
        "hints": hints(report, outcome.links, outcome.detectability),
        "subject": report.subject,
        "message_id": report.message_id,
        "delivery_id": outcome.delivery and outcome.delivery.id,
        "account_id": owner and owner.id,
        "reporting_mta": report.reporting_mta,
        "report": inspection.report_fields(report),
        "recipients": inspection.recipients(report, outcome.verdicts, mailed),
        "links": [inspection.link(each) for each in outcome.links],
        "trust": outcome.trust,
        "trust_reasons": outcome.trust_reasons,
        "faults": report.faults,
        "held": outcome.held,
    }


def _row(outcome: Outcome) -> dict[str, Any]:
    envelope = outcome.mail.envelope
    return {
        "id": outcome.mail.position,
        "received_at": envelope.received_at,
        "reverse_path": envelope.reverse_path,
        "forward_paths": envelope.forward_paths,
        "helo": envelope.helo,
        "client": envelope.client,
        "protocol": envelope.protocol,
        "tls": envelope.tls,
        "authentication": outcome.authentication,
        **findings(outcome),
        "raw": zlib.compress(outcome.mail.raw, 1),
        "size": outcome.mail.size,
    }
