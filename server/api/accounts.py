"""Accounts: the tenants, for operators."""

from sqlalchemy import select
from starlette.responses import Response

from server.api.access import Operates
from server.api.bodies import NewAccount
from server.api.parameters import AskedForPage, SmallId
from server.api.problems import Refused, invalid
from server.api.routes import answer, router, with_content
from storage import accounts as stored
from storage import records, shapes
from storage.tables import account

routes = router("accounts")
_SHOWN = select(*account.c)


@routes.get("/accounts", response_model=records.Items[records.Account], summary="List")
def accounts(access: Operates, asked: AskedForPage) -> Response:
    """Every account."""
    with access.reading() as mine:
        return answer(mine.page(_SHOWN, account.c.id, account.c.id, asked).shown(shapes.account))


@routes.post("/accounts", status_code=201, response_model=records.Account, responses=with_content(409), summary="Make")
def add(access: Operates, body: NewAccount) -> Response:
    """Makes an account."""
    with access.writing() as mine:
        if stored.find(mine.connection, body.name) is not None:
            raise Refused(409, f"name = {body.name!r}: such an account is there already")
        try:
            made = stored.ensure(mine.connection, body.name, body.owner)
        except ValueError as error:
            raise invalid("body", "name", body.name, str(error)) from None
        return answer(shapes.account(mine.one(_SHOWN, account.c.id, account.c.id, made.id)), 201)


@routes.get("/accounts/{id}", response_model=records.Account, summary="Show")
def one(access: Operates, id: SmallId) -> Response:  # noqa: A002 - the name in the document
    """One account."""
    with access.reading() as mine:
        return answer(shapes.account(mine.one(_SHOWN, account.c.id, account.c.id, id)))
