"""Blind spots: how many bounce notices nobody can tie to a message. They are no account's, so operators see them."""

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from server.api.access import Operates
from server.api.parameters import AskedForStatistics
from server.api.routes import answer, router
from storage import records
from storage.blindspots import listing

routes = router("blindspots")
_DAYS = 30


@routes.get("/blindspots", response_model=records.Answer[records.BlindSpot], summary="Count")
def blindspots(access: Operates, asked: AskedForStatistics) -> Response:
    """All, then by gateway, then by receiving domain, the most undetectable first."""
    since = asked.since or datetime.now(UTC) - timedelta(days=_DAYS)
    with access.reading() as mine:
        return answer({"items": list(listing(mine.connection, since))})
