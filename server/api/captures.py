"""Captures: the mails received, with what was found out about each."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import RowMapping, Select, select
from starlette.responses import Response

from server import linking
from server.api.access import Access, Links, Mine, Reads, not_there
from server.api.bodies import Link, Word
from server.api.parameters import AskedForCaptures, Id
from server.api.problems import Refused
from server.api.routes import Shape, answer, router, with_content
from server.minting import with_return_path
from server.settings import UserError
from storage import records
from storage.captures import SHOWN, shape, shaped
from storage.pages import narrowed
from storage.tables import capture, delivery, message

routes = router("captures")
_RAW = select(capture.c.id, capture.c.raw)


@routes.get("/captures", response_model=records.Items[records.Capture], summary="List")
def captures(access: Reads, asked: AskedForCaptures) -> Response:
    """What was received for the account; an operator also sees what is nobody's."""
    statement = narrowed(SHOWN, (capture.c.kind, asked.kind), (capture.c.detectability, asked.detectability))
    domain = access.service.settings.return_path_domain
    with access.reading() as mine:
        page = mine.page(statement, capture.c.id, capture.c.account_id, asked)
        shown = shaped(mine.connection, page.rows, all_accounts=mine.account is None)
        items = [with_return_path(each, domain) for each in shown]
    return answer({"items": items, "cursor": page.cursor, "more": page.more})


@routes.get("/captures/{id}", response_model=records.Capture, summary="Show")
def one(access: Reads, id: Id) -> Response:  # noqa: A002 - the name in the document
    """One capture."""
    with access.reading() as mine:
        return answer(_shown(mine.one(SHOWN, capture.c.id, capture.c.account_id, id), mine, access))


_MAIL: dict[int | str, dict[str, Any]] = {
    200: {"description": "The mail", "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}}}
}


@routes.get("/captures/{id}/raw", response_class=Response, responses=_MAIL, summary="Download")
def raw(access: Reads, id: Id) -> Response:  # noqa: A002 - the name in the document
    """The mail as it came in, to save and never to show."""
    with access.reading() as mine:
        row = mine.one(_RAW, capture.c.id, capture.c.account_id, id)
    headers = {"content-disposition": f'attachment; filename="capture-{id}.eml"'}
    return Response(zlib.decompress(row["raw"]), media_type="message/rfc822", headers=headers)


@routes.post("/captures/{id}/link", response_model=records.Capture, responses=with_content(409), summary="Link by hand")
def link(access: Links, id: Id, body: Link) -> Response:  # noqa: A002 - the name in the document
    """Says which delivery a capture is about that nothing ties: for unmatched and undetectable ones.

    It is kept who, when and why, and shown as `linked_by_hand`; nothing is suppressed for it.
    """
    said = _said(access, body)
    with access.writing() as mine:
        mine.one(SHOWN, capture.c.id, capture.c.account_id, id)
        found = mine.connection.execute(mine.of_mine(_delivery(body.delivery), message.c.account_id)).first()
        if found is None:
            raise not_there(f"delivery {body.delivery}")
        with _refusing():
            linking.link(mine.connection, id, body.delivery, said)
        return answer(_shown(mine.one(SHOWN, capture.c.id, capture.c.account_id, id), mine, access))


@routes.post(
    "/captures/{id}/unlink", response_model=records.Capture, responses=with_content(409), summary="Take a link back"
)
def unlink(access: Links, id: Id, body: Word) -> Response:  # noqa: A002 - the name in the document
    """Takes a link by hand back. That it was there is kept."""
    said = _said(access, body)
    with access.writing() as mine:
        mine.one(SHOWN, capture.c.id, capture.c.account_id, id)
        with _refusing():
            linking.unlink(mine.connection, id, said)
        return answer(_shown(mine.one(SHOWN, capture.c.id, capture.c.account_id, id), mine, access))


def _delivery(key: int) -> Select[Any]:
    return select(delivery.c.id).join_from(delivery, message).where(delivery.c.id == key)


def _said(access: Access, body: Word) -> linking.Said:
    try:
        return linking.Said(access.who(body.who), body.why)
    except UserError as error:
        raise Refused(422, str(error).removeprefix("--")) from None


@contextmanager
def _refusing() -> Iterator[None]:
    """What stands against it is of the capture, not of the request."""
    try:
        yield
    except UserError as error:
        raise Refused(409, str(error)) from None


def _shown(row: RowMapping, mine: Mine, access: Access) -> Shape:
    shown = shape(mine.connection, row, all_accounts=mine.account is None)
    return with_return_path(shown, access.service.settings.return_path_domain)
