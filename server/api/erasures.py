"""Erasures: everything about an address goes, but that it must not be mailed."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from server import erasing
from server.api.access import Access, Erases
from server.api.bodies import Erasure
from server.api.problems import Refused
from server.api.routes import Shape, answer, router, with_content
from storage import erasure as stored
from storage import records, suppression_records

routes = router("erasures")
_WAIT_SECONDS = "30"
_Address = Annotated[str, Query(min_length=1, max_length=320, description="Case is ignored")]


@routes.post(
    "/erasures",
    status_code=201,
    response_model=suppression_records.Certificate,
    responses=with_content(),
    summary="Erase",
)
def erase(access: Erases, body: Erasure) -> Response:
    """Removes everything about an address from the account; that it must not be mailed stays, as a keyed hash.

    Every capture is read for it, so it may take minutes, and one is done at a time (429): where the connection ends
    before, ask for the certificate later. An operator who names no account erases it in all.
    """
    order = stored.Order(body.address, access.account_id, access.who(body.who), body.why, datetime.now(UTC))
    return answer(_erased(access, order), 201)


@routes.get("/erasures", response_model=records.Answer[suppression_records.Certificate], summary="List")
def certificates(access: Erases, address: _Address) -> Response:
    """What was removed of an address, each time. The address is kept nowhere: it is found by its hash."""
    with access.reading() as mine:
        return answer({"items": stored.certificates(mine.connection, address, access.account_id)})


def _erased(access: Access, order: stored.Order) -> Shape:
    service = access.service
    if not service.erasing.acquire(blocking=False):
        headers = {"retry-after": _WAIT_SECONDS}
        raise Refused(429, "another address is being erased: wait until that is done", headers=headers)
    try:
        return erasing.erase(service.db, service.settings, order)
    finally:
        service.erasing.release()
