"""The site out of its parts: pages, errors in plain words, the guard around them."""

import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from server.web import errors, pages
from server.web.guard import Guard
from server.web.rendering import FOLDER
from storage.database import Database, DatabaseUnusable

log = logging.getLogger("bouncemx.web")

_THREADS = 4  # pages that are being made at once; the others wait


def site(
    db: Database, journal: Path, hosts: frozenset[str] = frozenset(), api: tuple[str, ASGIApp] | None = None
) -> ASGIApp:
    """The ASGI application. `hosts`: the names that it answers to; all where none is given. `api`: where, and what."""
    app = FastAPI(title="bouncemx", openapi_url=None, redirect_slashes=False, lifespan=_lifespan)
    app.state.db = db
    app.state.journal = journal
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    if api is not None:
        app.mount(*api)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_misunderstood)
    app.exception_handler(DatabaseUnusable)(_away)
    app.exception_handler(Exception)(_broken)
    return Guard(app, hosts, errors.page, api[0] if api else None)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


async def _refused(request: Request, error: HTTPException) -> Response:
    return errors.page(error.status_code, error.detail if error.status_code != 404 else "")


async def _misunderstood(request: Request, error: RequestValidationError) -> Response:
    return errors.page(422, "", [errors.told(fault) for fault in error.errors()])


async def _away(request: Request, error: DatabaseUnusable) -> Response:
    log.warning("%s", error)
    # the idle connections are of the database that went away
    await to_thread.run_sync(request.app.state.db.close)
    return errors.page(503, str(error))


async def _broken(request: Request, error: Exception) -> Response:
    return errors.page(500, "")
