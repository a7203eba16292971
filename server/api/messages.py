"""Messages: registering what is sent, which gives the return paths, and looking at it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Query
from starlette.responses import Response, StreamingResponse

from server import exports
from server.api import registering
from server.api.access import Access, Reads, Registers
from server.api.bodies import Registration
from server.api.parameters import AskedForMessages, AskedForResend, Id
from server.api.routes import answer, router, with_content
from storage import records, resend, shapes
from storage.messages import SHOWN
from storage.pages import narrowed
from storage.tables import message

routes = router("messages")
_Form = Annotated[Literal["csv", "jsonl"], Query(alias="format")]
_KINDS = [exports.MEDIA_TYPES[kind] for kind in (exports.Format.CSV, exports.Format.JSONL)]
_LISTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The list, as long as it is",
        "content": {kind: {"schema": {"type": "string"}} for kind in _KINDS},
    }
}

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


@routes.get("/messages/{id}/resend", response_model=records.Items[records.ResendContact], summary="Resend list")
def again(access: Reads, id: Id, asked: AskedForResend) -> Response:  # noqa: A002 - the name in the document
    """Who may get it again: its recipients with a soft bounce that may still be mailed."""
    with access.reading() as mine:
        mine.one(SHOWN, message.c.id, message.c.account_id, id)
        found = resend.page(mine.connection, id, datetime.now(UTC), int(asked.cursor or 0), asked.limit)
    return answer({"items": found.contacts, "cursor": str(found.last) if found.more else None, "more": found.more})


@routes.get("/messages/{id}/resend/export", response_class=Response, responses=_LISTS, summary="Export resend list")
def export(access: Reads, id: Id, form: _Form = "csv") -> Response:  # noqa: A002 - the name in the document
    """The same in one go, as CSV or JSON Lines."""
    with access.reading() as mine:
        mine.one(SHOWN, message.c.id, message.c.account_id, id)
    kind = exports.Format(form)
    return StreamingResponse(
        exports.written(_again(access, id), kind, exports.CONTACT),
        media_type=exports.MEDIA_TYPES[kind],
        headers={"content-disposition": f'attachment; filename="resend-{id}.{form}"'},
    )


def _again(access: Access, key: int) -> Iterator[dict[str, Any]]:
    """Page by page, each in a transaction of its own: a slow reader keeps none open."""
    last, more = 0, True
    while more:
        with access.reading() as mine:
            found = resend.page(mine.connection, key, datetime.now(UTC), last)
        yield from found.contacts
        last, more = found.last, found.more
