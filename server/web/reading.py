"""What the pages read from the database, each in one short transaction that can't write."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, func, select

from server.web.listing import Page, Row, turn
from server.web.parameters import BouncesAsked, CapturesAsked, SuppressionsAsked, Turning
from storage import bounces, captures, pages, shapes
from storage.columns import address_key
from storage.tables import account, delivery, message, suppression

_MESSAGES = select(
    *message.c,
    account.c.name.label("account"),
    select(func.count()).where(delivery.c.message_id == message.c.id).scalar_subquery().label("deliveries"),
).join_from(message, account, message.c.account_id == account.c.id)
_SUPPRESSIONS = select(*suppression.c, account.c.name.label("account")).join_from(
    suppression, account, suppression.c.account_id == account.c.id, isouter=True
)
_PAGE = 60  # rows that are read at once


def captures_page(connection: Connection, asked: CapturesAsked) -> Page:
    """Captures; the text is looked for in what the database knows of them, not in the mails themselves."""
    wanted = captures.Filter(kind=asked.kind, detectability=asked.detectability, since=asked.since, before=asked.before)
    return turn(
        lambda newest_first: captures.find(connection, wanted, newest_first=newest_first),
        before=asked.before,
        since=asked.since,
        matches=lambda row: asked.text is None or _tells(row, asked.text.casefold()),
    )


def bounces_page(connection: Connection, asked: BouncesAsked) -> Page:
    wanted = bounces.Filter(type=asked.type, address=asked.address, since=asked.since, before=asked.before)
    return turn(
        lambda newest_first: bounces.find(connection, wanted, newest_first=newest_first),
        before=asked.before,
        since=asked.since,
    )


def messages_page(connection: Connection, asked: Turning) -> Page:
    statement = _between(_MESSAGES, message.c.id, asked)

    def find(newest_first: bool) -> Iterator[Row]:
        rows = pages.rows(connection, statement, message.c.id, page=_PAGE, newest_first=newest_first)
        return (shapes.message(row) for row in rows)

    return turn(find, before=asked.before, since=asked.since)


def suppressions_page(connection: Connection, asked: SuppressionsAsked) -> Page:
    statement = _between(_SUPPRESSIONS, suppression.c.id, asked)
    if asked.address is not None:
        statement = statement.where(suppression.c.address == address_key(asked.address))

    def find(newest_first: bool) -> Iterator[Row]:
        rows = pages.rows(connection, statement, suppression.c.id, page=_PAGE, newest_first=newest_first)
        return ({**shapes.suppression(row), "id": row["id"]} for row in rows)

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
