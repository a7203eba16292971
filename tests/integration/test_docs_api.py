"""docs/api.md and docs/sending.md are what the API is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for

from server.api.problems import CODES
from storage import api_keys
from tests import docs_api

ROOT = Path(__file__).parents[2]
DOCUMENT = docs_api.document()
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def test_the_list_of_routes_is_made_from_the_document() -> None:
    assert docs_api.PAGE.read_text() == docs_api.page()


def test_the_page_has_every_code_and_scope() -> None:
    text = docs_api.PAGE.read_text()
    told = dict(re.findall(r"^\| (\d{3}) \| `(\w+)` \|", text, re.MULTILINE))
    assert {int(status): code for status, code in told.items()} == {
        status: code for status, code in CODES.items() if status not in (421, 500)
    }
    assert all(f"`{scope}`" in text for scope in api_keys.Scope if scope != "operator")


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_an_operation_is_documented_whole(name: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["x-scope"] in set(api_keys.Scope)
    assert operation["security"] == [{"key": []}]
    problems = {"401", "403", "404", "422", "429", "503"} | (
        {"400", "413", "415"} if "requestBody" in operation else set()
    )
    assert problems <= operation["responses"].keys()
    for status in problems:
        assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


def test_every_example_is_valid() -> None:
    examples = 0
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if "example" in schema:
            examples += 1
            whole = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
            validator_for(whole).validate(schema["example"])
    assert examples >= 8


def test_every_body_has_an_example() -> None:
    for name, operation in OPERATIONS:
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            assert "example" in DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]], name


@pytest.mark.parametrize("page", ["api.md", "sending.md"])
def test_the_requests_in_the_pages_are_valid(page: str) -> None:
    """What curl sends there is what the document says."""
    text = (ROOT / "docs" / page).read_text()
    sent = re.findall(r"/api/v1(/[a-z/]+) -H.*?-d '(\{.*?\})'(?:\n| \\\n)", text, re.DOTALL)
    assert sent
    for path, body in sent:
        reference = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        validator_for({**reference, "components": DOCUMENT["components"]}).validate(json.loads(body))
