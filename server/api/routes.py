"""What all routes have in common: how they answer, and what they say of it in the document."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from server.api.problems import responses

_ALWAYS = (401, 403, 404, 422, 429, 503)
_WITH_CONTENT = (400, 413, 415)

Shape = dict[str, Any]


def router(tag: str) -> APIRouter:
    """A router whose routes declare every problem that they may answer with."""
    return APIRouter(tags=[tag], responses=responses(*_ALWAYS))


def with_content(*more: int) -> dict[int | str, dict[str, Any]]:
    """The further problems of a route that takes content."""
    return responses(*_WITH_CONTENT, *more)


def answer(content: Any, status: int = 200) -> JSONResponse:
    """Rows are JSON-ready: nothing looks at each of ten thousand again."""
    return JSONResponse(content, status)
