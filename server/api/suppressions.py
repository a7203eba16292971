"""Suppressions: the addresses not to mail again."""

from typing import Any

from starlette.responses import Response

from server.api.access import Reads
from server.api.bodies import Addresses
from server.api.parameters import AskedForSuppressions
from server.api.routes import answer, router, with_content
from storage import records, shapes
from storage import suppressions as stored
from storage.checking import Found
from storage.checking import check as check_all
from storage.columns import address_key
from storage.tables import suppression

routes = router("suppressions")


@routes.get("/suppressions", response_model=records.Items[records.Suppression], summary="List")
def suppressions(access: Reads, asked: AskedForSuppressions) -> Response:
    """What holds for the account: its own, and everyone's."""
    statement = stored.shown()
    if asked.address is not None:
        statement = statement.where(suppression.c.address == address_key(asked.address))
    if asked.type is not None:
        statement = statement.where(suppression.c.type == asked.type)
    if asked.reason is not None:
        statement = statement.where(suppression.c.reason == asked.reason)
    with access.reading() as mine:
        page = mine.page(statement, suppression.c.id, suppression.c.account_id, asked, shared=True)
    return answer(page.shown(shapes.suppression))


@routes.post(
    "/suppressions/check",
    response_model=records.Answer[records.Checked],
    responses=with_content(),
    summary="Check addresses",
)
def check(access: Reads, body: Addresses) -> Response:
    """Which of up to ten thousand addresses not to mail, and why; in the order in which they were asked."""
    with access.reading() as mine:
        found = check_all(mine.connection, mine.account.id if mine.account else None, body.addresses)
    return answer({"items": [_checked(address, found.get(address)) for address in body.addresses]})


def _checked(address: str, found: Found | None) -> dict[str, Any]:
    suppressed = found is not None and not found.eligible
    return {"address": address, "suppressed": suppressed, "suppression": found.shape() if found else None}
