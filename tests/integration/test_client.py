"""The client against the API, over a port."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import uvicorn

from handlers.outcome import Outcome
from server.client import Client, NotVerified, Problem, verify_webhook
from server.settings import Limits
from server.webhooks import signature
from storage.database import Database
from tests.integration.api_fixture import ALL, DOMAIN, Api, filled_api
from tests.integration.database_fixture import migrated
from tests.integration.test_api_accounts_apart import loose


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """The application at a port of this host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, outcome_of: Callable[..., Outcome]) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("client")
    url = migrated(folder)
    with Database(url) as database:
        yield filled_api(database, folder, outcome_of)


@pytest.fixture(scope="module")
def base_url(api: Api) -> Iterator[str]:
    with listening(api.app) as found:
        yield found


@pytest.fixture(scope="module")
def client(api: Api, base_url: str) -> Iterator[Client]:
    with Client(base_url, api.key("shop", *ALL)) as made:
        yield made


def test_messages_are_registered_and_found_again(client: Client) -> None:
    made = client.register([{"recipients": ["ann@x.example", "bob@x.example"], "message_id": "c@x.example"}])
    assert [each["recipient"] for each in made] == ["ann@x.example", "bob@x.example"]
    assert all(each["return_path"] and each["return_path"].endswith(f"@{DOMAIN}") for each in made)
    (message,) = client.messages(message_id="<c@x.example>")
    assert message["deliveries"] == 2
    assert client.delivery(made[0]["delivery"])["revisions"] == []
    assert {each["recipient"] for each in client.deliveries(message=message["id"])} == {
        "ann@x.example",
        "bob@x.example",
    }


def test_more_than_a_request_takes(client: Client) -> None:
    made = client.register({"recipients": [f"u{n}@x.example"], "campaign": "many"} for n in range(10_001))
    assert len({each["return_path"] for each in made}) == 10_001
    assert sum(1 for _ in client.messages(campaign="many", limit=1000)) == 10_001
    with pytest.raises(ValueError, match="more than 10000 recipients"):
        client.register([{"recipients": ["a@x.example"] * 10_001}])


def test_addresses_are_checked(client: Client) -> None:
    found = client.check(["Ann@shop.example", "ann@other.example"])
    assert found["Ann@shop.example"]["suppressed"]
    why = found["Ann@shop.example"]["suppression"]
    assert why is not None
    assert why["reason"] == "user_unknown"
    assert not found["ann@other.example"]["suppressed"]
    assert len(client.check(f"u{n}@x.example" for n in range(10_001))) == 10_001


def test_lists_and_the_mail(client: Client) -> None:
    (bounce,) = client.bounces(type="hard")
    (capture,) = client.captures()
    (suppression,) = client.suppressions()
    assert (bounce["capture"], bounce["address"]) == (capture["id"], suppression["address"])
    assert client.raw(capture["id"]).startswith(b"From: MAILER-DAEMON@mx.example\r\n")
    assert client.statistics("2026-01-01T00:00:00Z")["types"] == [{"value": "hard", "number": 1}]


def test_events_are_followed(client: Client) -> None:
    events, cursor = client.events()
    assert events
    assert {each["account"] for each in events} == {"shop"}
    assert client.events(cursor) == ([], cursor)


def test_webhooks_and_keys(client: Client, base_url: str) -> None:
    made = client.add_webhook("https://client.example/", ["bounce.hard"])
    assert made["secret"].startswith("whsec_")
    assert made["id"] in [each["id"] for each in client.webhooks()]
    key = client.add_api_key(["read"], "other program")
    assert ("other program", key["id"]) in [(each["name"], each["id"]) for each in client.api_keys()]
    with Client(base_url, key["key"]) as other:
        assert list(other.bounces())
        with pytest.raises(Problem) as refused:
            other.register([{"recipients": ["ann@x.example"]}])
    assert (refused.value.status, refused.value.code) == (403, "forbidden")


def test_an_operator_sees_accounts_and_acts_for_one(api: Api, base_url: str) -> None:
    with Client(base_url, api.key(None)) as operator:
        assert {"shop", "other"} <= {each["name"] for each in operator.accounts()}
        assert {each["account"] for each in operator.bounces()} == {"shop", "other"}
    with Client(base_url, api.key(None), account="other") as operator:
        assert {each["account"] for each in operator.bounces()} == {"other"}


def test_a_problem_is_told(client: Client) -> None:
    with pytest.raises(Problem, match=r"^422 invalid: messages\.0\.recipients\.0 = 'x': is no address") as refused:
        client.register([{"recipients": ["x"]}])
    assert refused.value.errors[0]["field"] == "messages.0.recipients.0"


def test_a_busy_api_is_asked_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Api(api.database, api.settings.model_copy(update={"limits": Limits(api_requests=3)}))
    waits: list[float] = []
    monkeypatch.setattr("server.client.time.sleep", waits.append)
    with listening(slow.app) as address, Client(address, api.key("shop", *ALL), tries=3) as client:
        for _ in range(3):
            client.statistics()
        with pytest.raises(Problem) as refused:
            client.statistics()
        assert refused.value.status == 429
        assert waits == [20.0, 20.0]


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.client.time.sleep", lambda seconds: None)
    with Client("http://127.0.0.1:1", "bmx_1_x") as client, pytest.raises(httpx2.TransportError):
        client.statistics()


def test_a_webhook_is_verified() -> None:
    secret, now = signature.new_secret(), datetime.now(UTC)
    body = json.dumps({"id": "evt_1", "type": "bounce.hard"})
    headers = signature.headers([secret], "evt_1", now, body)
    assert verify_webhook(secret, headers, body.encode())["type"] == "bounce.hard"
    old = signature.headers([secret], "evt_1", datetime(2026, 1, 1, tzinfo=UTC), body)
    for wrong_secret, wrong_headers, wrong_body in (
        (signature.new_secret(), headers, body),
        (secret, headers, body.replace("hard", "soft")),
        (secret, old, body),
        (secret, {}, body),
    ):
        with pytest.raises(NotVerified):
            verify_webhook(wrong_secret, wrong_headers, wrong_body.encode())


def test_what_people_decide(client: Client, api: Api) -> None:
    """On data of its own account alone; the last: it erases."""
    ids = api.ids["shop"]
    (incident,) = client.incidents(state="open")
    assert client.confirm(incident["id"], "it was not us", "Eve")["decision"] == "confirmed"
    assert client.release(incident["id"], "it was us")["decision"] == "released"
    assert client.unbounce_incident(incident["id"], "all of them") == []
    assert [each["address"] for each in client.resend(ids["message"])] == ["bob@shop.example"]
    capture = loose(api, "shop")
    with pytest.raises(Problem, match="404 not_found: delivery 1099511627776 is not here"):
        client.link(capture, 2**40, "told")
    linked = client.link(capture, ids["delivery"], "told", "Eve")["linked_by_hand"]
    assert linked is not None
    assert linked["delivery"] == ids["delivery"]
    assert client.unlink(capture, "wrong")["linked_by_hand"] is None
    certificate = client.erase("bob@shop.example", "his request", "Eve")
    assert certificate["removed"]["delivery"] == 1
    assert client.erasures("Bob@shop.example") == [certificate]


def test_endpoints_and_keys_are_given_up(client: Client) -> None:
    hook = client.add_webhook("https://gone.example/", ["complaint"])
    assert client.redeliver(hook["id"], since="2026-01-01T00:00:00Z") == 0
    client.remove_webhook(hook["id"])
    assert hook["id"] not in [each["id"] for each in client.webhooks()]
    made = client.add_api_key(["read"])
    assert client.revoke_api_key(made["id"])["revoked_at"] is not None
