"""The answers have the fields that the document names, every one and no other."""

from pathlib import Path
from typing import Any

import pytest

from server.api.application import build
from server.api.examples import examples
from server.settings import Settings
from tests.integration.api_fixture import Api
from tests.integration.test_api_accounts_apart import PROBES, prepare


def fields(schema: Any, value: Any, document: Any, place: str) -> None:
    """Holds a value against its schema, where that names fields."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema and value is not None:
        schema = next(each for each in schema["anyOf"] if each.get("type") != "null")
        fields(schema, value, document, place)
    elif schema.get("type") == "array":
        for each in value:
            fields(schema["items"], each, document, f"{place}[]")
    elif "properties" in schema:
        assert set(value) == set(schema["properties"]), place
        for name, inner in schema["properties"].items():
            fields(inner, value[name], document, f"{place}.{name}")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_document_names_every_field(api: Api, subtests: pytest.Subtests) -> None:
    client = api.client(None)
    document = client.get("/openapi.json").json()
    for route, probe in PROBES.items():
        method, _, path = route.partition(" ")
        declared = document["paths"][path][method.lower()]["responses"].get("200", {}).get("content", {})
        if method == "GET" and "application/json" in declared:
            with subtests.test(route):
                prepare(api, route, "shop")
                answer = client.get(probe.path.format(name="shop", **api.ids["shop"])).json()
                assert answer.get("items") != [] or path.startswith("/webhooks/{id}/"), "nothing to look at"
                fields(declared["application/json"]["schema"], answer, document, route)


def test_every_answer_has_an_example_as_its_schema_says(subtests: pytest.Subtests) -> None:
    document = build(None, Settings(data_dir=Path("/nowhere"))).openapi()  # type: ignore[arg-type]
    shown = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            good = {status: each for status, each in operation["responses"].items() if status.startswith("2")}
            for response in good.values():
                for kind, content in response.get("content", {}).items():
                    with subtests.test(f"{method} {path} {kind}"):
                        if kind == "message/rfc822":  # whatever came in
                            continue
                        assert content["example"]
                        shown.add(f"{method.upper()} {path}")
                        if kind == "application/json":
                            fields(content["schema"], content["example"], document, path)
    assert shown == set(examples())
