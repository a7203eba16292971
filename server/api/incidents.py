"""Incidents: waves of refusals that speak of the sender, and the suppressions that wait for a word on them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from server.api.access import Reads, Suppresses
from server.api.bodies import Word
from server.api.parameters import AskedForIncidents, Id
from server.api.problems import Refused
from server.api.routes import answer, router, with_content
from storage import incidents as stored
from storage import lifting, records, suppression_records
from storage.tables import incident

routes = router("incidents")


@routes.get("/incidents", response_model=records.Items[suppression_records.Incident], summary="List")
def incidents(access: Reads, asked: AskedForIncidents) -> Response:
    """The waves; while one is open, and nobody has said a word on it, what it would suppress is held."""
    statement = stored.shown()
    if asked.state is not None:
        closed = incident.c.closed_at
        statement = statement.where(closed.is_(None) if asked.state == "open" else closed.is_not(None))
    with access.reading() as mine:
        return answer(mine.page(statement, incident.c.id, incident.c.account_id, asked).shown(stored.shape))


@routes.get("/incidents/{id}", response_model=suppression_records.Incident, summary="Show")
def one(access: Reads, id: Id) -> Response:  # noqa: A002 - the name in the document
    """One incident."""
    with access.reading() as mine:
        return answer(stored.shape(mine.one(stored.shown(), incident.c.id, incident.c.account_id, id)))


@routes.post(
    "/incidents/{id}/release", response_model=suppression_records.Incident, responses=with_content(), summary="Release"
)
def release(access: Suppresses, id: Id, body: Word) -> Response:  # noqa: A002 - the name in the document
    """It was the sender: none of the suppressions that it holds comes."""
    return _decide(access, id, body, stored.release)


@routes.post(
    "/incidents/{id}/confirm", response_model=suppression_records.Incident, responses=with_content(), summary="Confirm"
)
def confirm(access: Suppresses, id: Id, body: Word) -> Response:  # noqa: A002 - the name in the document
    """It was the addresses: all suppressions that it holds come into force."""
    return _decide(access, id, body, stored.confirm)


@routes.post(
    "/incidents/{id}/unbounce",
    response_model=suppression_records.Lifted,
    responses=with_content(409),
    summary="Unbounce all",
)
def unbounce(access: Suppresses, id: Id, body: Word) -> Response:  # noqa: A002 - the name in the document
    """Lifts all suppressions that it caused, held or in force."""
    word = lifting.Word(access.who(body.who), body.why, datetime.now(UTC))
    with access.writing() as mine:
        mine.one(stored.shown(), incident.c.id, incident.c.account_id, id)
        try:
            most = access.service.settings.unbounce_per_day
            lifted = lifting.lift_incident(mine.connection, id, mine.account_id, word, most)
        except lifting.TooMany as refused:
            raise Refused(409, str(refused)) from None
    return answer({"addresses": sorted({key.address for key in lifted})})


def _decide(access: Suppresses, key: int, body: Word, decide: Callable[..., Any]) -> Response:
    with access.writing() as mine:
        mine.one(stored.shown(), incident.c.id, incident.c.account_id, key)
        decide(mine.connection, key, who=access.who(body.who), why=body.why, now=datetime.now(UTC))
        return answer(stored.shape(mine.one(stored.shown(), incident.c.id, incident.c.account_id, key)))
