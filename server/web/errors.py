"""Error pages: what is wrong and the way out, without a word of how we are made."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from server.web.rendering import render

_TITLES = {
    404: ("Not here", "There is no such page, or the capture has been removed."),
    405: ("Not possible", "These pages only read."),
    421: ("Unknown name", "This service is not known by that name."),
    422: ("Not understood", "The address of this page has something in it that does not belong there."),
    500: ("Broken", "This is a fault of bouncemx; its log says more. Mail is taken and kept all the same."),
    503: ("Database away", "The database can't be read now. Mail is taken and kept in the journal meanwhile."),
}


def page(status: int, detail: str, details: Sequence[str] = ()) -> Response:
    """The page of an error."""
    title, explanation = _TITLES.get(status, (f"Error {status}", ""))
    response = render(
        "error.html",
        status=status,
        title=title,
        explanation=explanation,
        details=[*filter(None, [detail]), *details],
    )
    if status == 503:
        response.headers["retry-after"] = "10"
    return response


def told(fault: Mapping[str, Any]) -> str:
    """One fault that FastAPI found in the parameters, in a line."""
    name = str(fault["loc"][-1])[:80]
    if fault["type"] == "extra_forbidden":
        return f"{name} is not known here"
    return f"{name}: {str(fault['msg']).removeprefix('Value error, ')}"
