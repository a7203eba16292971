"""Bounces: the verdicts on deliveries."""

from typing import Any

from sqlalchemy import RowMapping, Select
from starlette.responses import Response

from server.api.access import Access, Reads
from server.api.parameters import AskedForBounces, BouncesAsked, Id
from server.api.routes import Shape, answer, router
from server.minting import with_return_path
from storage import records, shapes
from storage.bounces import SHOWN, Filter, narrowed
from storage.tables import bounce

routes = router("bounces")


@routes.get("/bounces", response_model=records.Items[records.Bounce], summary="List")
def bounces(access: Reads, asked: AskedForBounces) -> Response:
    """The verdicts, one for each recipient of the account that a capture is about."""
    with access.reading() as mine:
        page = mine.page(_asked_for(asked), bounce.c.id, bounce.c.account_id, asked)
    return answer(page.shown(lambda row: _shown(row, access)))


@routes.get("/bounces/{id}", response_model=records.Bounce, summary="Show")
def one(access: Reads, id: Id) -> Response:  # noqa: A002 - the name in the document
    """One bounce."""
    with access.reading() as mine:
        return answer(_shown(mine.one(SHOWN, bounce.c.id, bounce.c.account_id, id), access))


def _asked_for(asked: BouncesAsked) -> Select[Any]:
    names = ("address", "type", "category", "reason", "capture", "delivery")
    return narrowed(Filter(**{name: getattr(asked, name) for name in names}))


def _shown(row: RowMapping, access: Access) -> Shape:
    return with_return_path(shapes.bounce(row), access.service.settings.return_path_domain)
