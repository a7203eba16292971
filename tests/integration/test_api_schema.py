"""The document and the API are one: requests are made out of the document, and each answer is held against it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis

from handlers.outcome import Outcome
from server.api.application import PREFIX, build
from server.settings import Settings
from storage.database import Database, locate, migrate
from tests.integration.api_fixture import Api, filled_api

EXAMPLES = 12  # of requests for each operation; the boundaries of every value come on top


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, outcome_of: Callable[..., Outcome]) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("schema")
    url = locate(None, folder)
    migrate(url)
    with Database(url) as database:
        yield filled_api(database, folder, outcome_of)


@pytest.fixture(scope="module")
def document(served: Api) -> Any:
    return schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", served.app)


@pytest.fixture(scope="module")
def operator(served: Api) -> dict[str, str]:
    return {"authorization": f"Bearer {served.key(None)}"}


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
def test_every_answer_is_as_the_document_says(case: Any, operator: dict[str, str]) -> None:
    case.call_and_validate(headers=operator)
