"""Advice: what each category of bounce means, and what to do about it."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from handlers.advice import LANGUAGES, table
from server.api.access import Reads
from server.api.routes import answer, router
from storage import records

routes = router("advice")
_Language = Annotated[str, Query(pattern=f"^({'|'.join(LANGUAGES)})$", description=f"One of {', '.join(LANGUAGES)}")]


@routes.get("/advice", response_model=records.Answer[records.Advice], summary="List")
def advice(access: Reads, language: _Language = "en") -> Response:
    """For each category, and for the types pending and global."""
    items = [
        {"name": name, "language": language, "means": texts[language].means, "do": texts[language].do}
        for name, texts in table().items()
    ]
    return answer({"items": items})
