"""Contacts: all that an account knows of an address."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from handlers.advice import LANGUAGES, advice
from handlers.words import BounceType, Category
from server.api.access import Reads
from server.api.routes import answer, router
from storage import suppression_records
from storage.timeline import Contact, contact

routes = router("contacts")
_Address = Annotated[str, Query(min_length=1, max_length=320, description="Case is ignored")]
_Language = Annotated[str, Query(pattern=f"^({'|'.join(LANGUAGES)})$", description="Of the advice")]


@routes.get("/contacts", response_model=suppression_records.Contact, summary="Show")
def one(access: Reads, address: _Address, language: _Language = "en") -> Response:
    """What was sent to an address, what came back, how each delivery stands, and whether it may be mailed."""
    with access.reading() as mine:
        found = contact(mine.connection, address, access.one_account)
    return answer({**found.shape(), "advice": _advice(found, language)})


def _advice(found: Contact, language: str) -> dict[str, str] | None:
    """On the last hard bounce; of a suppression that holds for everyone, that an operator must lift it."""
    reason = found.last_hard_bounce_reason
    if found.suppression and found.suppression.globally:
        return asdict(advice(reason or Category.OTHER, BounceType.GLOBAL, language))
    return asdict(advice(reason, BounceType.HARD, language)) if reason else None
