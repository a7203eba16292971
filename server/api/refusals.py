"""Exceptions as the problems that they are answered with."""

import logging
from typing import Any

from anyio import to_thread
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from server.api import problems
from storage.database import DatabaseUnusable

log = logging.getLogger("bouncemx.api")

_RETRY_SECONDS = "10"


async def _refused(request: Request, error: problems.Refused) -> Response:
    return problems.answer(error.status, error.detail, error.errors, error.headers)


async def _http(request: Request, error: HTTPException) -> Response:
    told = {
        400: "the content can't be read as JSON",
        404: f"{request.url.path[:200]} is not here: {request.scope['root_path']}/openapi.json names what is",
        405: f"{request.method[:20]} is not possible here",
    }
    headers = {"allow": _allowed(request)} if error.status_code == 405 else error.headers
    return problems.answer(error.status_code, told.get(error.status_code, error.detail), headers=headers)


def _allowed(request: Request) -> str:
    """All methods of the path (RFC 9110 10.2.1): Starlette names those of the first route that has it."""
    path = request.scope["path"].removeprefix(request.scope["root_path"])
    found = {"GET", "HEAD"} if path == request.app.openapi_url else set()
    for template, operations in request.app.openapi()["paths"].items():
        if compile_path(template)[0].match(path):
            found |= {method.upper() for method in operations}
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))


async def _misunderstood(request: Request, error: RequestValidationError) -> Response:
    faults = [problems.of(fault) for fault in error.errors()]
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return problems.answer(400, f"the content is {faults[0].detail}", faults)
    refused = problems.refused_for(faults[:100])
    return problems.answer(refused.status, refused.detail, refused.errors)


async def _away(request: Request, error: DatabaseUnusable) -> Response:
    log.warning("%s", error)
    # the idle connections are of the database that went away
    await to_thread.run_sync(request.app.state.service.db.close)
    return problems.answer(
        503, "the database can't be used now; its log says more", headers={"retry-after": _RETRY_SECONDS}
    )


async def _broken(request: Request, error: Exception) -> Response:
    return problems.answer(500, "this is a fault of bouncemx; its log says more")


HANDLERS: dict[type[Exception], Any] = {
    problems.Refused: _refused,
    HTTPException: _http,
    RequestValidationError: _misunderstood,
    DatabaseUnusable: _away,
    Exception: _broken,
}
