"""Templates to answers. Autoescape is always on, and every value goes through visible()."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from server.web import visible

FOLDER = Path(__file__).parent


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        finalize=visible.visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(short=visible.short, moment=visible.moment, octets=visible.octets, asked=_asked)
    return environment


def render(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page that this template makes of the values."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(status=status, **values), status)


def _asked(parameters: dict[str, Any]) -> str:
    """A query string of the parameters that have a value: "?before=7&kind=delay"; "?" where none has."""
    return "?" + urlencode({name: str(value) for name, value in parameters.items() if value is not None})


_TEMPLATES = _environment()
