"""Captures: the mails received, with what was found out about each."""

import zlib
from typing import Any

from sqlalchemy import RowMapping, select
from starlette.responses import Response

from server.api.access import Access, Mine, Reads
from server.api.parameters import AskedForCaptures, Id
from server.api.routes import Shape, answer, router
from server.minting import with_return_path
from storage import records
from storage.captures import SHOWN, shape
from storage.tables import capture

routes = router("captures")
_RAW = select(capture.c.id, capture.c.raw)


@routes.get("/captures", response_model=records.Items[records.Capture], summary="List")
def captures(access: Reads, asked: AskedForCaptures) -> Response:
    """What was received for the account; an operator also sees what is nobody's."""
    statement = SHOWN
    if asked.kind is not None:
        statement = statement.where(capture.c.kind == asked.kind)
    if asked.detectability is not None:
        statement = statement.where(capture.c.detectability == asked.detectability)
    with access.reading() as mine:
        page = mine.page(statement, capture.c.id, capture.c.account_id, asked)
        return answer(page.shown(lambda row: _shown(row, mine, access)))


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


def _shown(row: RowMapping, mine: Mine, access: Access) -> Shape:
    shown = shape(mine.connection, row, all_accounts=mine.account is None)
    return with_return_path(shown, access.service.settings.return_path_domain)
