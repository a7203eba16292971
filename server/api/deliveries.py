"""Deliveries: each recipient of each message, and how it stands."""

from starlette.responses import Response

from server.api.access import Reads
from server.api.parameters import AskedForDeliveries, Id
from server.api.routes import answer, router
from storage import records
from storage.columns import address_key
from storage.deliveries import SHOWN, revisions, shape
from storage.pages import narrowed
from storage.tables import delivery, delivery_state, message

routes = router("deliveries")


@routes.get("/deliveries", response_model=records.Items[records.Delivery], summary="List")
def deliveries(access: Reads, asked: AskedForDeliveries) -> Response:
    """How deliveries stand; of one in state `sent` nothing was heard."""
    key = asked.recipient and address_key(asked.recipient)
    statement = narrowed(SHOWN, (delivery.c.recipient_key, key), (delivery.c.message_id, asked.message))
    if asked.state is not None:
        same = delivery_state.c.state == asked.state
        statement = statement.where(same | delivery_state.c.state.is_(None) if asked.state == "sent" else same)
    domain = access.service.settings.return_path_domain
    # few are narrowed to by an index of theirs; with the account's own SQLite would read all in its order
    few = asked.recipient is not None or asked.message is not None
    owner = message.c.account_id if few else delivery.c.account_id
    with access.reading() as mine:
        page = mine.page(statement, delivery.c.id, owner, asked)
    return answer(page.shown(lambda row: shape(row, domain)))


@routes.get("/deliveries/{id}", response_model=records.DeliveryWithRevisions, summary="Show")
def one(access: Reads, id: Id) -> Response:  # noqa: A002 - the name in the document
    """One delivery, with every change of its state."""
    with access.reading() as mine:
        row = mine.one(SHOWN, delivery.c.id, delivery.c.account_id, id)
        shown = shape(row, access.service.settings.return_path_domain)
        return answer({**shown, "revisions": revisions(mine.connection, id)})
