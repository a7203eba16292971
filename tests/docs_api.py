"""The list of routes in docs/api.md out of the API's document: python -m tests.docs_api writes it, a test holds it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.api.application import build
from server.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "api.md"
BEGIN, END = "<!-- routes: made by python -m tests.docs_api -->\n", "<!-- end of routes -->\n"


def page() -> str:
    """What docs/api.md must be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    behind = rest.partition(END)[2]
    return before + BEGIN + "\n" + "\n".join(_routes()) + "\n\n" + END + behind


def document() -> dict[str, Any]:
    return build(None, Settings(data_dir=Path("/nowhere"))).openapi()  # type: ignore[arg-type]


def _routes() -> Iterator[str]:
    yield "| route | scope | |"
    yield "|---|---|---|"
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            told = operation["description"].partition("\n\nScope:")[0].partition("\n\n")[0].replace("\n", " ")
            yield f"| `{method.upper()} {path}` | {operation['x-scope']} | {told.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
