"""docs/settings.md out of the settings themselves: python -m tests.docs_settings writes it, a test holds it."""

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path, PurePath
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from server.settings import Limits, Settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

HEAD = """\
# Settings

They stand in `bouncemx.toml` in the data folder, or in the environment, which wins:

    return_path_domain = "bounces.example.com"              BOUNCEMX_RETURN_PATH_DOMAIN=bounces.example.com
    watched_addresses = ["*@example.com"]                   BOUNCEMX_WATCHED_ADDRESSES='["*@example.com"]'
    [limits]                                                BOUNCEMX_LIMITS__CONNECTIONS=500
    connections = 500

Lists and tables in the environment are JSON. A name that is no setting is an error, and so is a value that can't be;
the message names the setting, the value and what to give. A change holds from the next start of `bouncemx serve`.
The data folder itself is `--data-dir` or `BOUNCEMX_DATA_DIR`. Only `return_path_domain` must be set.
"""


def page() -> str:
    """What docs/settings.md must be. Made by `python -m tests.docs_settings`."""
    lines = [HEAD, "## Settings\n", *_table(Settings), "", "## [limits]\n", *_table(Limits), ""]
    return "\n".join(lines)


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| name | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        if field.annotation is not Limits and name != "data_dir":
            cells = (f"`{name}`", _type(field.annotation) + _range(field), _default(field), f"{field.description}")
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(annotation: Any) -> str:
    arguments = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if get_origin(annotation) is tuple:
        return f"list of {_type(arguments[0])}s"
    if hasattr(annotation, "__metadata__") or type(None) in get_args(annotation):
        return _type(arguments[0])
    if get_origin(annotation) is dict:
        return f"table of {_type(arguments[1])}"
    if get_origin(annotation) is UnionType or get_origin(annotation) is Union:
        return " or ".join(map(_type, arguments))
    if issubclass(annotation, Enum):
        return " or ".join(f"`{each.value}`" for each in annotation)
    if issubclass(annotation, PurePath):
        return "path"
    return {bool: "true or false", int: "integer", float: "number", str: "text"}[annotation]


def _range(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "over", "le": "at most"}
    bounds = [
        (word, getattr(each, name)) for each in field.metadata for name, word in words.items() if hasattr(each, name)
    ]
    return ", " + ", ".join(f"{word} {bound}" for word, bound in bounds) if bounds else ""


def _default(field: FieldInfo) -> str:
    value = field.default
    assert value is not PydanticUndefined
    if value is None:
        return ""
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
