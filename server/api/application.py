"""The API out of its routes, and what holds for all of them."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from server.api import (
    accounts,
    advice,
    blindspots,
    bounces,
    captures,
    contacts,
    counting,
    deliveries,
    erasures,
    events,
    examples,
    incidents,
    keys,
    messages,
    problems,
    suppressions,
    webhooks,
)
from server.api.access import Allows, Service
from server.api.body import Bounded
from server.api.rates import Rates
from server.api.refusals import HANDLERS
from server.settings import Settings
from storage.database import Database

PREFIX = "/api/v1"
_PARTS = (
    messages,
    deliveries,
    captures,
    bounces,
    advice,
    suppressions,
    contacts,
    erasures,
    incidents,
    events,
    webhooks,
    counting,
    blindspots,
    accounts,
    keys,
)
_DESCRIPTION = """\
What comes back of the mail that you sent: register messages, read bounces, check suppressions.

A key (`bouncemx api-keys add`) goes into every request: `Authorization: Bearer bmx_...`. It sees the rows of its
account alone; an operator's key sees all, or with `account` those of one. Lists come in pages by cursor. Times are
ISO 8601 in UTC. Errors are application/problem+json (RFC 9457). Parameters and fields that are not named here are
refused.
"""


def application(db: Database, settings: Settings) -> ASGIApp:
    """The API as an ASGI application, to be mounted at PREFIX."""
    return Bounded(build(db, settings), settings.limits.api_body_octets)


def build(db: Database, settings: Settings) -> FastAPI:
    """The routes and the document, without the bound on content."""
    app = FastAPI(
        title="bouncemx",
        version="1",
        description=_DESCRIPTION,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        servers=[{"url": PREFIX}],
        root_path_in_servers=False,
        dependencies=[Depends(_only_known)],
        separate_input_output_schemas=False,
    )
    app.state.service = Service(db, settings, Rates(settings.limits.api_requests))
    for part in _PARTS:
        app.include_router(part.routes)
    for exception, handler in HANDLERS.items():
        app.exception_handler(exception)(handler)
    app.openapi = _Document(app).read  # type: ignore[method-assign]
    return app


class _Document:
    """FastAPI's document, with our problem in place of its own 422."""

    def __init__(self, app: FastAPI) -> None:
        self._make = app.openapi
        self._made: dict[str, Any] | None = None
        self._making = Lock()  # FastAPI makes no two at once, and the first requests come in several threads

    def read(self) -> dict[str, Any]:
        with self._making:
            if self._made is None:
                self._made = _complete(self._make())
            return self._made


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs"))
    schemas["Problem"] = schema
    for part in _PARTS:
        for route in part.routes.routes:
            if isinstance(route, APIRoute):
                _name_scope(document, route)
    examples.show(document)
    return document


def _name_scope(document: dict[str, Any], route: APIRoute) -> None:
    (scope,) = [each.call.scope for each in route.dependant.dependencies if isinstance(each.call, Allows)]
    for method in route.methods or ():
        operation = document["paths"][route.path][method.lower()]
        operation["x-scope"] = str(scope)
        operation["description"] += f"\n\nScope: `{scope}`"


def _only_known(request: Request) -> None:
    """Refuses a parameter that the document does not name, and one that is said twice."""
    operation = _operation(request)
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    faults = []
    for name in request.query_params:
        values = request.query_params.getlist(name)
        if name not in known:
            told = f"is not known here; there are: {', '.join(sorted(known)) or 'none'}"
        elif len(values) > 1:
            told = "is said more than once: say it once"
        else:
            continue
        faults.append(problems.Fault(where="query", field=name[:80], value=values[0][:200], detail=told))
    if faults:
        raise problems.refused_for(faults)


def _operation(request: Request) -> Mapping[str, Any]:
    route = request.scope["route"]
    operations: Mapping[str, Any] = request.app.openapi()["paths"].get(route.path, {})
    found: Mapping[str, Any] = operations.get(request.method.lower(), {})
    return found
