"""The API over a database with two accounts in it, each with a message, a capture, a bounce and a suppression."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.datastructures import State
from starlette.testclient import TestClient

from handlers.outcome import Outcome
from handlers.words import Detectability
from server.api.access import Service
from server.api.application import PREFIX, build
from server.api.body import Bounded
from server.api.rates import Rates
from server.settings import Limits, Settings
from server.web.application import site
from storage import accounts, api_keys, messages, tables, webhooks
from storage.api_keys import Scope
from storage.database import Database
from storage.store import store

ALL = tuple(scope for scope in Scope if scope is not Scope.OPERATOR)
NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
DOMAIN = "rp.example"
SECRET = "whsec_" + "A" * 32


@cache
def _routes() -> FastAPI:
    """As `application` makes them for one service; their first request makes the document, which takes long."""
    return build(None, Settings(data_dir="/nowhere"))  # type: ignore[arg-type]


@dataclass
class Api:
    """The API and what stands behind it; `ids` names the rows of each account by what they are."""

    database: Database
    settings: Settings
    ids: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        routes, limits = copy(_routes()), self.settings.limits
        routes.state = State({"service": Service(self.database, self.settings, Rates(limits.api_requests))})
        mounted = PREFIX, Bounded(routes, limits.api_body_octets)
        self.app = site(self.database, self.settings.journal, api=mounted)

    def key(self, account: str | None, *scopes: Scope) -> str:
        """The text of a new key; no account means an operator's."""
        with self.database.writer() as connection:
            owner = accounts.ensure(connection, account) if account else None
            return api_keys.add(connection, owner, scopes if owner else [Scope.OPERATOR], datetime.now(UTC))[1]

    def client(self, account: str | None, *scopes: Scope, key: str | None = None) -> TestClient:
        """A client with a new key; all scopes where none are named."""
        text = self.key(account, *(scopes or ALL)) if key is None else key
        return TestClient(
            self.app,
            base_url=f"http://localhost{PREFIX}",
            headers={"authorization": f"Bearer {text}"} if text else {},
            raise_server_exceptions=False,
        )


@pytest.fixture
def api(database: Database, tmp_path: Path, outcome_of: Callable[..., Outcome]) -> Api:
    return filled_api(database, tmp_path, outcome_of)


def filled_api(database: Database, folder: Path, outcome_of: Callable[..., Outcome]) -> Api:
    """Accounts shop and other, alike; and a capture (3) that is nobody's."""
    settings = Settings(data_dir=folder, return_path_domain=DOMAIN, limits=Limits(api_requests=100_000))
    made = Api(database, settings)
    for position, name in ((1, "shop"), (2, "other")):
        made.ids[name] = _fill(database, name, position, outcome_of)
    with database.writer() as connection:
        nobodys = outcome_of(3, detectability=Detectability.UNDETECTABLE, undetectable_reason="recipient_only")
        store(connection, [nobodys], "worker", 4)
    return made


def _fill(database: Database, name: str, position: int, outcome_of: Callable[..., Outcome]) -> dict[str, int]:
    with database.writer() as connection:
        account = accounts.ensure(connection, name)
        recipient = (f"ann@{name}.example", f"token-{name}")
        ours = messages.register(connection, name, [recipient], message_id=f"<m@{name}.example>", subject="Spring")[0]
        store(connection, [outcome_of(position, ours)], "worker", position)
        key, _ = api_keys.add(connection, account, [Scope.READ], NOW)
        soft = messages.register(connection, name, [(f"bob@{name}.example", None)], message_id=f"<m@{name}.example>")
        stands = {"state": "soft", "category": "technical_problem", "reason": "system_error", "since": NOW}
        connection.execute(tables.delivery_state.insert().values(delivery_id=soft[0].id, **stands))
        hook = webhooks.add(connection, account.id, f"https://hooks.{name}.example/", [], SECRET, NOW)["id"]
        wave = {"provider": "mx.example", "reason": "ip_blocked", "refusals": 20}
        times = {"began_at": NOW, "opened_at": NOW, "last_at": NOW}
        incident = connection.execute(tables.incident.insert().values(account_id=account.id, **wave, **times))
        message = connection.exec_driver_sql("SELECT max(id) FROM message").scalar_one()
        bounce = connection.exec_driver_sql("SELECT max(id) FROM bounce").scalar_one()
    return {
        "account": account.id, "message": message, "delivery": ours.id, "capture": position, "bounce": bounce,
        "key": key, "webhook": hook, "incident": incident.inserted_primary_key[0],
    }  # fmt: skip
