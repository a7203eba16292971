"""Events by pulling, for those who want no webhooks."""

from starlette.responses import Response

from server.api.access import Mine, Reads
from server.api.parameters import AskedForEvents, EventsAsked, Order
from server.api.problems import Refused, responses
from server.api.routes import answer, router
from storage import events as stored
from storage import forgetting, records, webhook_records
from storage.pages import narrowed
from storage.tables import event

routes = router("events")


@routes.get("/events", response_model=records.Items[webhook_records.Event], responses=responses(410), summary="List")
def events(access: Reads, asked: AskedForEvents) -> Response:
    """What webhooks tell, oldest first: keep the cursor and ask again with it.

    Events are kept for `event_days`. A cursor behind which some are missing is 410: take up without one.
    """
    statement = narrowed(stored.SHOWN, (event.c.type, asked.type), (event.c.delivery_id, asked.delivery))
    with access.reading() as mine:
        last = _last(mine, asked)
        page = mine.page(statement, event.c.id, event.c.account_id, asked)
    shown = page.shown(stored.shape)
    if asked.order is Order.OLDEST and last and not page.more:
        # behind what others were told meanwhile, too: whoever is told little must not seem to come late
        shown["cursor"] = str(max(last, int(page.cursor or 0)))
    return answer(shown)


def _last(mine: Mine, asked: EventsAsked) -> int:
    """The last event of all, read before the page is. Refused (410) where what follows the cursor is forgotten."""
    reached = forgetting.reached(mine.connection)
    if asked.order is Order.OLDEST and asked.cursor is not None and int(asked.cursor) < reached:
        told = f"cursor = {asked.cursor}: events behind it are not kept any more, up to {reached}"
        raise Refused(410, f"{told}; ask without a cursor, and read deliveries and suppressions anew")
    return forgetting.last(mine.connection)
