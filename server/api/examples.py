"""What each route answers, as an example in the document. Lists are cut to one item."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def examples() -> dict[str, Any]:
    """By method and path; where a route has several media types, by these."""
    found: dict[str, Any] = json.loads((files("server.api") / "examples.json").read_text("utf-8"))
    return found


def show(document: dict[str, Any]) -> None:
    """Puts them into the document."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            label = f"{method.upper()} {path}"
            for status, response in operation["responses"].items():
                for kind, content in response.get("content", {}).items():
                    if status.startswith("2") and label in examples():
                        content["example"] = _of(label, kind)


def _of(label: str, kind: str) -> Any:
    found = examples()[label]
    return found if kind == "application/json" else found[kind]
