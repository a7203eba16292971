"""Events by pulling, for those who want no webhooks."""

from starlette.responses import Response

from server.api.access import Reads
from server.api.parameters import AskedForEvents
from server.api.routes import answer, router
from storage import events as stored
from storage import records, webhook_records
from storage.tables import event

routes = router("events")


@routes.get("/events", response_model=records.Items[webhook_records.Event], summary="List")
def events(access: Reads, asked: AskedForEvents) -> Response:
    """What webhooks tell, oldest first: keep the cursor and ask again with it."""
    statement = stored.SHOWN
    if asked.type is not None:
        statement = statement.where(event.c.type == asked.type)
    if asked.delivery is not None:
        statement = statement.where(event.c.delivery_id == asked.delivery)
    with access.reading() as mine:
        return answer(mine.page(statement, event.c.id, event.c.account_id, asked).shown(stored.shape))
