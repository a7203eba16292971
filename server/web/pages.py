"""The pages, one function each."""

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from handlers.words import BounceType, Detectability, Kind
from server.web import chart, figures, reading
from server.web.listing import Page
from server.web.parameters import (
    LARGEST,
    ForBlindspots,
    ForBounces,
    ForCaptures,
    ForMessages,
    ForOverview,
    ForSuppressions,
    Nothing,
    OverviewAsked,
)
from server.web.period import Period, parts
from server.web.rendering import render
from storage import blindspots, bounces, captures, hand_links
from storage.database import Database, DatabaseUnusable

router = APIRouter()
_CaptureKey = Annotated[int, Path(ge=0, le=LARGEST)]
_SHOWN_NEWEST = 10
_SHOWN_OF_ONE = 100  # recipients, links and the like of one capture


@router.get("/")
def overview(request: Request, asked: ForOverview) -> Response:
    """What came in."""
    with _database(request).reader() as connection:
        newest = reading.newest_captures(connection, _SHOWN_NEWEST)
        if not newest:
            return render("welcome.html")
        return render("overview.html", newest=newest, periods=list(Period), **_figures(connection, asked))


def _figures(connection: Any, asked: OverviewAsked) -> dict[str, Any]:
    bars = parts(asked.period, datetime.now(UTC))
    since = bars[0].start
    values = figures.bars(connection, bars)
    return {
        "period": asked.period,
        "since": since.isoformat(),
        "total": sum(values),
        "at_least": max(values) >= figures.LARGEST_BAR,
        "chart": chart.bars([bar.name for bar in bars], values, "Captures"),
        "kinds": figures.capture_shares(connection, "kind", since),
        "detectabilities": figures.capture_shares(connection, "detectability", since),
        "types": figures.bounce_shares(connection, "type", since),
        "reasons": figures.bounce_shares(connection, "reason", since),
    }


@router.get("/captures")
def captures_list(request: Request, asked: ForCaptures) -> Response:
    """The captures."""
    with _database(request).reader() as connection:
        page = reading.captures_page(connection, asked)
    return _list("captures.html", page, asked, kinds=list(Kind), detectabilities=list(Detectability))


@router.get("/captures/{key}", dependencies=[Nothing])
def capture(request: Request, key: _CaptureKey) -> Response:
    """One capture, with all that was found out about it."""
    with _database(request).reader() as connection:
        found = captures.get(connection, key)
        if found is None:
            raise HTTPException(404)
        drawn = list(islice(bounces.find(connection, bounces.Filter(capture=key)), _SHOWN_OF_ONE))
        said = hand_links.history(connection, key)
    spans = {(each["address"], each["rule"]): each for each in drawn}
    return render("capture.html", capture=found, spans=spans, said=said, most=_SHOWN_OF_ONE)


@router.get("/captures/{key}/raw", dependencies=[Nothing])
def raw(request: Request, key: _CaptureKey) -> Response:
    """The mail as it came in, to save and never to show."""
    with _database(request).reader() as connection:
        octets = captures.raw(connection, key)
    if octets is None:
        raise HTTPException(404)
    disposition = f'attachment; filename="capture-{key}.eml"'
    return Response(octets, media_type="application/octet-stream", headers={"content-disposition": disposition})


@router.get("/bounces")
def bounces_list(request: Request, asked: ForBounces) -> Response:
    """The bounces."""
    with _database(request).reader() as connection:
        page = reading.bounces_page(connection, asked)
    return _list("bounces.html", page, asked, types=list(BounceType))


@router.get("/messages")
def messages_list(request: Request, asked: ForMessages) -> Response:
    """The messages."""
    with _database(request).reader() as connection:
        page = reading.messages_page(connection, asked)
    return _list("messages.html", page, asked)


@router.get("/suppressions")
def suppressions_list(request: Request, asked: ForSuppressions) -> Response:
    """The suppressions."""
    with _database(request).reader() as connection:
        page = reading.suppressions_page(connection, asked)
    return _list("suppressions.html", page, asked)


@router.get("/blindspots")
def blindspots_list(request: Request, asked: ForBlindspots) -> Response:
    """How many notices nobody can tie to a message."""
    since = parts(asked.period, datetime.now(UTC))[0].start
    with _database(request).reader() as connection:
        total, *spots = blindspots.listing(connection, since)
    return render(
        "blindspots.html",
        period=asked.period,
        periods=list(Period),
        since=since.isoformat(),
        total=total,
        gateways=[each for each in spots if each["by"] == "gateway"],
        domains=[each for each in spots if each["by"] == "receiving_domain"],
        most=blindspots.TOP,
    )


@router.get("/healthz", dependencies=[Nothing])
def healthz(request: Request) -> Response:
    """Whether the pages can read, and how far the worker is; for machines."""
    try:
        with _database(request).reader() as connection:
            newest = figures.newest_capture(connection)
            backlog = figures.backlog(connection, request.app.state.journal)
    except DatabaseUnusable:
        return JSONResponse({"database": "away", "newest_capture": None, "backlog_octets": None}, 503)
    return JSONResponse({"database": "ok", "newest_capture": newest, "backlog_octets": backlog})


def _list(template: str, page: Page, asked: BaseModel, **values: Any) -> Response:
    filters = asked.model_dump(exclude={"before", "since"})
    return render(template, page=page, asked=filters, filtered=any(filters.values()), **values)


def _database(request: Request) -> Database:
    db: Database = request.app.state.db
    return db
