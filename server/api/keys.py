"""Keys: what programs call this API with."""

from datetime import UTC, datetime

from starlette.responses import Response

from server.api.access import Access, HandsOutKeys
from server.api.bodies import NewKey
from server.api.parameters import AskedForPage, SmallId
from server.api.problems import Refused
from server.api.routes import answer, router, with_content
from storage import api_keys as stored
from storage import records, shapes
from storage.api_keys import SHOWN, Scope
from storage.tables import api_key

routes = router("keys")


@routes.get("/keys", response_model=records.Items[records.ApiKey], summary="List")
def keys(access: HandsOutKeys, asked: AskedForPage) -> Response:
    """The keys of the account, without their secrets."""
    with access.reading() as mine:
        return answer(mine.page(SHOWN, api_key.c.id, api_key.c.account_id, asked).shown(shapes.api_key))


@routes.post("/keys", status_code=201, response_model=records.NewApiKey, responses=with_content(409), summary="Make")
def add(access: HandsOutKeys, body: NewKey) -> Response:
    """Makes a key for the account and tells it, this once. A key gives no scope that it has not itself."""
    _check_scopes(access, body)
    with access.writing() as mine:
        try:
            key, text = stored.add(
                mine.connection,
                mine.account,
                body.scopes,
                datetime.now(UTC),
                name=body.name,
                expires_at=body.expires_at,
            )
        except stored.TooMany as refused:
            raise Refused(409, str(refused)) from None
        except ValueError as error:
            raise Refused(422, str(error)) from None
        shown = shapes.api_key(mine.one(SHOWN, api_key.c.id, api_key.c.account_id, key))
    return answer({**shown, "key": text}, 201)


@routes.get("/keys/{id}", response_model=records.ApiKey, summary="Show")
def one(access: HandsOutKeys, id: SmallId) -> Response:  # noqa: A002 - the name in the document
    """One key, without its secret."""
    with access.reading() as mine:
        return answer(shapes.api_key(mine.one(SHOWN, api_key.c.id, api_key.c.account_id, id)))


@routes.post("/keys/{id}/revoke", response_model=records.ApiKey, responses=with_content(), summary="Revoke")
def revoke(access: HandsOutKeys, id: SmallId) -> Response:  # noqa: A002 - the name in the document
    """Makes a key worthless, from now on."""
    with access.writing() as mine:
        mine.one(SHOWN, api_key.c.id, api_key.c.account_id, id)
        stored.revoke(mine.connection, id, datetime.now(UTC))
        return answer(shapes.api_key(mine.one(SHOWN, api_key.c.id, api_key.c.account_id, id)))


def _check_scopes(access: Access, body: NewKey) -> None:
    more = set(body.scopes) - access.key.scopes
    if more and Scope.OPERATOR not in access.key.scopes:
        raise Refused(403, f"this key has not the scope {', '.join(sorted(more))}, so it can't give it")
