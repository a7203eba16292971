"""Webhooks: the endpoints that are told what happens, and what became of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection
from starlette.responses import Response

from server import webhooks as sending
from server.api.access import Access, Mine, SetsWebhooks, not_there
from server.api.bodies import NewSecret, NewWebhook, OtherWebhook, Redelivery
from server.api.parameters import AskedForDispatches, AskedForTries, SmallId
from server.api.problems import Refused, invalid
from server.api.routes import Shape, answer, router, with_content
from server.webhooks import signature, target
from storage import records, webhook_records, webhook_tries
from storage import webhooks as stored

routes = router("webhooks")


@routes.get("/webhooks", response_model=records.Answer[webhook_records.Webhook], summary="List")
def webhooks(access: SetsWebhooks) -> Response:
    """The endpoints, without their secrets."""
    with access.reading() as mine:
        return answer({"items": stored.listing(mine.connection, mine.account_id)})


@routes.post(
    "/webhooks", status_code=201, response_model=webhook_records.NewWebhook, responses=with_content(409), summary="Make"
)
def add(access: SetsWebhooks, body: NewWebhook) -> Response:
    """Tells an endpoint what happens from now on. The answer has its secret, this once."""
    _check_url(access, body.url)
    secret = signature.new_secret()
    with access.writing() as mine:
        try:
            made = stored.add(mine.connection, mine.account_id, body.url, body.events, secret, datetime.now(UTC))
        except stored.TooMany as refused:
            raise Refused(409, str(refused)) from None
    return answer({**made, "secret": secret}, 201)


@routes.get("/webhooks/{id}", response_model=webhook_records.Webhook, summary="Show")
def one(access: SetsWebhooks, id: SmallId) -> Response:  # noqa: A002 - the name in the document
    """One endpoint, without its secrets."""
    with access.reading() as mine:
        return answer(_known(mine, id))


@routes.patch("/webhooks/{id}", response_model=webhook_records.Webhook, responses=with_content(), summary="Change")
def change(access: SetsWebhooks, id: SmallId, body: OtherWebhook) -> Response:  # noqa: A002
    """Gives it another URL, other events, or switches it on (tried at once) or off (nothing is queued meanwhile)."""
    if body.url is not None:
        _check_url(access, body.url)
    with access.writing() as mine:
        _known(mine, id)
        stored.change(mine.connection, mine.account_id, id, url=body.url, types=body.events)
        if body.enabled is True:
            stored.enable(mine.connection, mine.account_id, id)
        if body.enabled is False:
            stored.disable(mine.connection, mine.account_id, id, "by the API")
        return answer(_known(mine, id))


@routes.delete("/webhooks/{id}", status_code=204, response_class=Response, summary="Remove")
def remove(access: SetsWebhooks, id: SmallId) -> Response:  # noqa: A002 - the name in the document
    """Forgets an endpoint, with its queue and history."""
    _change(access, id, lambda connection, account_id: stored.remove(connection, account_id, id))
    return Response(status_code=204)


@routes.post(
    "/webhooks/{id}/secret",
    response_model=webhook_records.Secret,
    responses=with_content(),
    summary="Change the secret",
)
def rotate(access: SetsWebhooks, id: SmallId, body: NewSecret) -> Response:  # noqa: A002
    """Signs with a new secret, told this once; the old one signs along for some hours."""
    secret, overlap = signature.new_secret(), timedelta(hours=body.hours)
    _change(
        access,
        id,
        lambda connection, account_id: stored.rotate(connection, account_id, id, secret, datetime.now(UTC), overlap),
    )
    return answer({"secret": secret})


@routes.get("/webhooks/{id}/tries", response_model=records.Items[webhook_records.Try], summary="History")
def tries(access: SetsWebhooks, id: SmallId, asked: AskedForTries) -> Response:  # noqa: A002
    """The tries, newest first: when, which event, what was answered."""
    with access.reading() as mine:
        _known(mine, id)
        rows = webhook_tries.history(mine.connection, mine.account_id, id, before=asked.before, limit=asked.limit + 1)
    return answer(_page(rows, asked.limit))


@routes.get("/webhooks/{id}/events", response_model=records.Items[webhook_records.Dispatch], summary="Queue")
def dispatches(access: SetsWebhooks, id: SmallId, asked: AskedForDispatches) -> Response:  # noqa: A002
    """The events for an endpoint, newest first, and what became of each; `dead` were given up."""
    with access.reading() as mine:
        _known(mine, id)
        rows = webhook_tries.dispatches(
            mine.connection, mine.account_id, id, state=asked.state, before=asked.before, limit=asked.limit + 1
        )
    return answer(_page(rows, asked.limit))


@routes.post(
    "/webhooks/{id}/redeliver", response_model=webhook_records.Queued, responses=with_content(), summary="Send again"
)
def redeliver(access: SetsWebhooks, id: SmallId, body: Redelivery) -> Response:  # noqa: A002
    """Sends again, under the same ids: these events, or all since a time; where neither is given, the dead ones."""
    ids = [int(name.removeprefix("evt_")) for name in body.events] if body.events is not None else None
    with access.writing() as mine:
        _known(mine, id)
        number = webhook_tries.redeliver(
            mine.connection, mine.account_id, id, datetime.now(UTC), event_ids=ids, since=body.since
        )
    return answer({"queued": number})


def _check_url(access: Access, url: str) -> None:
    try:
        target.read(url, sending.policy(access.service.settings))
    except target.Refused as refused:
        raise invalid("body", "url", url, str(refused)) from None


def _known(mine: Mine, key: int) -> Shape:
    found = stored.get(mine.connection, mine.account_id, key)
    if found is None:
        raise not_there(str(key))
    return found


def _change(access: Access, key: int, change: Callable[[Connection, int | None], bool]) -> None:
    with access.writing() as mine:
        if not change(mine.connection, mine.account_id):
            raise not_there(str(key))


def _page(rows: list[Shape], limit: int) -> Shape:
    more = len(rows) > limit
    return {"items": rows[:limit], "cursor": str(rows[limit - 1]["id"]) if more else None, "more": more}
