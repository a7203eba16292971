"""Messages: registering what is sent, which gives the return paths, and looking at it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Header
from starlette.responses import Response

from server.api import registering
from server.api.access import Reads, Registers
from server.api.bodies import Registration
from server.api.parameters import AskedForMessages, Id
from server.api.routes import answer, router, with_content
from storage import records, resend, shapes
from storage.messages import SHOWN
from storage.pages import narrowed
from storage.tables import message

routes = router("messages")

_Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Where messages come without a message_id: the same key again gives the same return paths",
    ),
]


@routes.post(
    "/messages", response_model=records.Answer[records.Registered], responses=with_content(), summary="Register"
)
def register(access: Registers, body: Registration, idempotency_key: _Key = None) -> Response:
    """Registers messages and tells the return path of each recipient: the envelope sender to send with.

    The same message_id and recipient again give the same return path and register nothing again. All of a request
    is registered, or nothing.
    """
    with access.writing() as mine:
        rows = registering.register(mine.connection, access.service.settings, access.one_account, body, idempotency_key)
    return answer({"items": rows})


@routes.get("/messages", response_model=records.Items[records.Message], summary="List")
def messages(access: Reads, asked: AskedForMessages) -> Response:
    """What was registered."""
    statement = narrowed(SHOWN, (message.c.message_id, asked.message_id), (message.c.campaign, asked.campaign))
    with access.reading() as mine:
        page = mine.page(statement, message.c.id, message.c.account_id, asked)
    return answer(page.shown(shapes.message))


@routes.get("/messages/{id}", response_model=records.Message, summary="Show")
def one(access: Reads, id: Id) -> Response:  # noqa: A002 - the name in the document
    """One message."""
    with access.reading() as mine:
        return answer(shapes.message(mine.one(SHOWN, message.c.id, message.c.account_id, id)))


@routes.get("/messages/{id}/resend", response_model=records.Answer[records.ResendContact], summary="Resend list")
def again(access: Reads, id: Id) -> Response:  # noqa: A002 - the name in the document
    """Who may get it again: its recipients with a soft bounce that may still be mailed."""
    with access.reading() as mine:
        mine.one(SHOWN, message.c.id, message.c.account_id, id)
        return answer({"items": list(resend.contacts(mine.connection, id, datetime.now(UTC)))})
