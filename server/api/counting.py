"""Statistics: how often what came in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, func, select
from starlette.responses import Response

from server.api.access import Mine, Reads
from server.api.parameters import AskedForStatistics
from server.api.routes import answer, router
from storage import records
from storage.tables import bounce, capture

routes = router("statistics")
_COUNTED = 100_000  # rows of each: the newest
_DAYS = 30


@routes.get("/statistics", response_model=records.Statistics, summary="Count")
def statistics(access: Reads, asked: AskedForStatistics) -> Response:
    """Captures by kind and detectability, bounces by type, category and reason, most often first."""
    since = asked.since or datetime.now(UTC) - timedelta(days=_DAYS)
    with access.reading() as mine:
        content = {
            "since": since.isoformat(),
            "counted_at_most": _COUNTED,
            "kinds": _counts(mine, capture.c.kind, capture.c.received_at, since),
            "detectabilities": _counts(mine, capture.c.detectability, capture.c.received_at, since),
            "types": _counts(mine, bounce.c.type, bounce.c.created_at, since),
            "categories": _counts(mine, bounce.c.category, bounce.c.created_at, since),
            "reasons": _counts(mine, bounce.c.reason, bounce.c.created_at, since),
        }
    return answer(content)


def _counts(mine: Mine, value: Column[Any], at: Column[Any], since: datetime) -> list[dict[str, Any]]:
    newest = mine.of_mine(select(value.label("value")), value.table.c.account_id)
    newest = newest.where(at >= since).order_by(at.desc()).limit(_COUNTED)
    of_newest = newest.subquery()
    number = func.count().label("number")
    statement = select(of_newest.c.value, number).group_by(of_newest.c.value).order_by(number.desc(), of_newest.c.value)
    return [{"value": row.value, "number": row.number} for row in mine.connection.execute(statement)]
