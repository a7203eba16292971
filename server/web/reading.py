"""What the pages read from the database, each in one short transaction that can't write."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, select

from handlers.effects import State
from server.web.listing import Page, Row, turn
from server.web.parameters import BouncesAsked, CapturesAsked, SuppressionsAsked, Turning
from storage import bounces, captures, messages, pages, shapes, suppressions
from storage.columns import address_key
from storage.tables import capture, message, suppression

_PAGE = 60  # rows that are read at once


def newest_captures(connection: Connection, number: int) -> list[Row]:
    """The newest captures, as a list shows them."""
    return [_slim(row) for row in islice(_captures(connection, CapturesAsked(), newest_first=True), number)]


def captures_page(connection: Connection, asked: CapturesAsked) -> Page:
    """Captures; the text is looked for in what the database knows of them, not in the mails themselves."""
    text = asked.text.casefold() if asked.text else ""
    return turn(
        lambda newest_first: _captures(connection, asked, newest_first=newest_first),
        before=asked.before,
        since=asked.since,
        keep=lambda row: _slim(row) if not text or _tells(row, text) else None,
    )


def _captures(connection: Connection, asked: CapturesAsked, *, newest_first: bool) -> Iterator[Row]:
    """One at a time: what strangers send may have thousands of recipients, and a list has many captures."""
    statement = _between(select(capture.c.id), capture.c.id, asked)
    if asked.kind is not None:
        statement = statement.where(capture.c.kind == asked.kind)
    if asked.detectability is not None:
        statement = statement.where(capture.c.detectability == asked.detectability)
    for row in pages.rows(connection, statement, capture.c.id, page=_PAGE, newest_first=newest_first):
        found = captures.get(connection, row["id"])
        if found is not None:
            yield found


def _slim(row: Row) -> Row:
    """What a list shows of a capture."""
    shown = ("id", "received_at", "subject", "kind", "detectability", "held")
    first = row["recipients"][:1]
    return {name: row[name] for name in shown} | {"recipients": first, "further": len(row["recipients"]) - len(first)}


def bounces_page(connection: Connection, asked: BouncesAsked) -> Page:
    wanted = bounces.Filter(type=asked.type, address=asked.address, since=asked.since, before=asked.before)
    return turn(
        lambda newest_first: bounces.find(connection, wanted, newest_first=newest_first),
        before=asked.before,
        since=asked.since,
    )


def messages_page(connection: Connection, asked: Turning) -> Page:
    statement = _between(messages.SHOWN, message.c.id, asked)

    def find(newest_first: bool) -> Iterator[Row]:
        rows = pages.rows(connection, statement, message.c.id, page=_PAGE, newest_first=newest_first)
        return (shapes.message(row) for row in rows)

    return turn(find, before=asked.before, since=asked.since)


def suppressions_page(connection: Connection, asked: SuppressionsAsked) -> Page:
    now = datetime.now(UTC)
    statement = _between(suppressions.shown(State.ACTIVE, now), suppression.c.id, asked)
    if asked.address is not None:
        statement = statement.where(suppression.c.address == address_key(asked.address))

    def find(newest_first: bool) -> Iterator[Row]:
        rows = pages.rows(connection, statement, suppression.c.id, page=_PAGE, newest_first=newest_first)
        return ({**shapes.suppression(row, now), "id": row["id"]} for row in rows)

    return turn(find, before=asked.before, since=asked.since)


def _between(statement: Select[Any], key: Any, asked: Turning) -> Select[Any]:
    if asked.since is not None:
        statement = statement.where(key > asked.since)
    if asked.before is not None:
        statement = statement.where(key < asked.before)
    return statement


def _tells(row: Row, text: str) -> bool:
    """Whether one of the capture's own words has this text, case ignored."""
    return any(text in word.casefold() for word in _words(row) if word)


def _words(row: Row) -> Iterator[str | None]:
    envelope, report = row["envelope"], row["report"]
    yield from (row["subject"], row["message_id"], row["reporting_mta"], row["account"], report.get("text"))
    yield from (envelope["reverse_path"], *envelope["forward_paths"], envelope["client"], envelope["helo"])
    for recipient in row["recipients"]:
        yield from (recipient["address"], recipient["original_recipient"], recipient["diagnostic"])
        yield from (recipient["reason"], recipient["rule"])
    yield from (link["value"] for link in row["links"])
