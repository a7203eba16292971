"""The document and the API are one: requests are made out of the document, and each answer is held against it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.outcome import Outcome
from server.api.application import PREFIX, build
from server.settings import Settings
from server.web.application import site
from storage.database import Database
from tests.integration.api_fixture import ALL, filled_api
from tests.integration.database_fixture import migrated

EXAMPLES = 8  # of requests for each operation; the boundaries of every value come on top


class Late:
    """An application that is known before it is made: tests are named when nothing has been set up yet."""

    app: ASGIApp = site(None, Path("/nowhere"), api=(PREFIX, build(None, Settings(data_dir=Path("/nowhere")))))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


late = Late()
schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", late)


@schema.auth()
class Keys:
    """Where there is a key that may: one of an account with all scopes, and an operator's for the accounts."""

    account: ClassVar[str] = ""
    operator: ClassVar[str] = ""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return self.operator if case.operation.path.startswith("/accounts") else self.account

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["authorization"] = f"Bearer {data}"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, outcome_of: Callable[..., Outcome]) -> Iterator[None]:
    """An API with something in it."""
    folder = tmp_path_factory.mktemp("schema")
    url = migrated(folder)
    with Database(url) as database:
        api = filled_api(database, folder, outcome_of)
        late.app, Keys.account, Keys.operator = api.app, api.key("shop", *ALL), api.key(None)
        yield


# what the document can't say: the grammar of an address, a URL that may be reached, a time to come, what can be read
UNSAYABLE = {
    "POST /captures/{id}/link",
    "POST /captures/{id}/unlink",
    "POST /suppressions",
    "POST /messages",
    "POST /webhooks",
    "PATCH /webhooks/{id}",
    "POST /keys",
    "POST /accounts",
}


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
@pytest.mark.usefixtures("filled")
def test_every_answer_is_as_the_document_says(case: schemathesis.Case) -> None:
    excluded = [positive_data_acceptance] if case.operation.label in UNSAYABLE else []
    case.call_and_validate(excluded_checks=excluded)
