"""What holds for every request: pages by cursor, parameters, limits, problems in words."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from handlers.message import Delivery
from handlers.outcome import Outcome
from server.api import problems
from server.api.rates import Rates
from server.settings import Limits
from storage import api_keys, messages
from storage.api_keys import Scope
from storage.store import store
from tests.integration.api_fixture import Api

Make = Callable[..., Outcome]


@pytest.fixture
def full(api: Api, outcome_of: Make) -> Api:
    """Shop has captures 1 and 11 to 17; other has one."""
    with api.database.writer() as connection:
        ours = again(connection)
        store(connection, [outcome_of(position, ours) for position in range(11, 18)], "worker", 20)
    return api


def again(connection: Connection) -> Delivery:
    """Shop's delivery."""
    recipient = ("ann@shop.example", "token-shop")
    return messages.register(connection, "shop", [recipient], message_id="<m@shop.example>")[0]


def ids(page: dict[str, Any]) -> list[int]:
    return [each["id"] for each in page["items"]]


def test_a_list_turns_by_cursor(full: Api) -> None:
    client = full.client("shop", Scope.READ)
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/captures", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += ids(page)
        assert page["more"] == (page["cursor"] is not None)
        cursor = page["cursor"]
    assert seen == [17, 16, 15, 14, 13, 12, 11, 1]


def test_a_list_can_be_followed(full: Api, outcome_of: Make) -> None:
    client = full.client("shop", Scope.READ)
    first = client.get("/captures?order=oldest&limit=7").json()
    assert (ids(first), first["more"]) == ([1, 11, 12, 13, 14, 15, 16], True)
    second = client.get("/captures", params={"order": "oldest", "cursor": first["cursor"]}).json()
    assert (ids(second), second["more"]) == ([17], False)
    nothing = client.get("/captures", params={"order": "oldest", "cursor": second["cursor"]}).json()
    assert (ids(nothing), nothing["cursor"]) == ([], second["cursor"])
    with full.database.writer() as connection:
        ours = again(connection)
        store(connection, [outcome_of(30, ours)], "worker", 31)
    assert ids(client.get("/captures", params={"order": "oldest", "cursor": nothing["cursor"]}).json()) == [30]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/captures?kind=failure", 8),
        ("/captures?kind=delay", 0),
        ("/captures?detectability=undetectable", 0),
        ("/bounces?address=ANN@shop.example", 8),
        ("/bounces?address=ann@other.example", 0),
        ("/bounces?type=hard&category=unknown_user&reason=user_unknown", 8),
        ("/bounces?type=soft", 0),
        ("/bounces?capture=12", 1),
        ("/deliveries?recipient=ANN@shop.example", 1),
        ("/deliveries?state=sent", 0),
        ("/deliveries?message=1", 2),
        ("/deliveries?state=soft", 1),
        ("/messages?message_id=<m@shop.example>", 1),
        ("/messages?campaign=none", 0),
        ("/suppressions?address=ANN@shop.example&type=hard&reason=user_unknown", 1),
        ("/suppressions?reason=mailbox_full", 0),
        ("/events?type=bounce.hard", 1),
        ("/events?type=complaint", 0),
    ],
)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_list_is_narrowed(full: Api, path: str, found: int) -> None:
    page = full.client("shop", Scope.READ).get(path).json()
    assert len(page["items"]) == found


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
class TestOne:
    """On SQLite alone: nothing here comes near the database's dialect."""

    def test_a_parameter_is_known_once_and_can_be(self, api: Api, subtests: pytest.Subtests) -> None:
        client = api.client("shop")
        for path, field, told in (
            ("/bounces?colour=red", "colour", "is not known here; there are: account, address, capture, category"),
            ("/captures/1?limit=1", "limit", "is not known here; there are: account"),
            ("/bounces?limit=1&limit=2", "limit", "is said more than once"),
            ("/bounces?limit=0", "limit", "greater than or equal to 1"),
            ("/bounces?limit=1001", "limit", "less than or equal to 1000"),
            ("/bounces?limit=x", "limit", "valid integer"),
            ("/bounces?cursor=-1", "cursor", "pattern"),
            ("/bounces?type=loud", "type", "'hard', 'soft', 'pending' or 'global'"),
            ("/bounces?address=", "address", "at least 1 character"),
            ("/statistics?since=0.5", "since", "give a time such as 2026-03-04T05:06:07Z"),
            ("/statistics?since=2026-03-04T05:06:07", "since", "timezone"),
            ("/statistics?since=0001-01-01T00:00:00%2B14:00", "since", "outside of the years 1 to 9999 in UTC"),
            ("/statistics?since=9999-12-31T23:59:59-14:00", "since", "outside of the years 1 to 9999 in UTC"),
            ("/captures/-1", "id", "greater than or equal to 0"),
            (f"/captures/{2**63}", "id", "less than or equal to"),
            ("/captures/x", "id", "valid integer"),
        ):
            with subtests.test(path):
                answer = client.get(path)
                assert (answer.status_code, answer.headers["content-type"]) == (422, problems.MEDIA_TYPE)
                (fault,) = answer.json()["errors"]
                assert (fault["field"], told in fault["detail"]) == (field, True)

    def test_hostile_content_is_refused_in_words(self, api: Api, subtests: pytest.Subtests) -> None:
        client = api.client("shop")
        for content, status in (
            (b"", 422),
            (b"{", 400),
            (b"[" * 100_000, 400),
            (b'{"a":' * 100_000, 400),
            (b"\xff\xfe", 400),
            (b'{"addresses": ["\\ud800@x.example"]}', 422),
            (b'{"addresses": NaN}', 422),
            (b'{"addresses": [' + b"9" * 5000 + b"]}", 400),
            (b'{"addresses": [1e999]}', 422),
            (b'{"addresses": []}', 422),
            (b'{"addresses": ["' + b"a" * 321 + b'"]}', 422),
            (b'{"addresses": null}', 422),
            (b'"x"', 422),
            (b'{"addresses": ["a@x.example"], "addresses2": 1}', 422),
            (b"x" * (api.settings.limits.api_body_octets + 1), 413),
        ):
            with subtests.test(content[:40]):
                answer = client.post(
                    "/suppressions/check", content=content, headers={"content-type": "application/json"}
                )
                assert (answer.status_code, answer.headers["content-type"]) == (status, problems.MEDIA_TYPE)
                assert answer.json()["status"] == status

    def test_no_content_is_told_as_such(self, api: Api) -> None:
        answer = api.client("shop").post("/messages", headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["detail"]) == (422, "the content is missing: give it")

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/messages", {"messages": [{"recipients": ["ann@x.example"], "sent_at": "0001-01-01T00:00:00+14:00"}]}),
            ("/messages", {"messages": [{"recipients": ["ann@x.example"], "mint": "no"}]}),
            ("/keys", {"scopes": ["read"], "expires_at": "9999-12-31T23:59:59-14:00"}),
            (
                "/suppressions",
                {"addresses": ["a@x.example"], "why": "x", "expires_at": "9999-12-31T23:59:59-14:00"},
            ),
            ("/webhooks/1/redeliver", {"since": "0001-01-01T00:00:00+14:00"}),
            ("/webhooks/1/secret", {"hours": True}),
            ("/unbounce", {"addresses": ["a@x.example"], "why": "x", "everyone": "false"}),
            ("/webhooks", {"url": "https://x.example/", "events": ["bounce"]}),
        ],
    )
    def test_a_value_that_cannot_be_is_named(self, api: Api, path: str, body: dict[str, Any]) -> None:
        answer = api.client("shop").post(path, json=body)
        assert (answer.status_code, len(answer.json()["errors"])) == (422, 1), answer.text

    def test_content_without_a_length_has_a_bound_too(self, api: Api) -> None:
        pieces = (b" " * 100_000 for _ in range(100))
        answer = api.client("shop").post(
            "/suppressions/check", content=pieces, headers={"content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_only_json_is_taken(self, api: Api, kind: str) -> None:
        """What a web site can make a browser send without being asked is never read."""
        body = json.dumps({"addresses": ["ann@shop.example"]}).encode()
        answer = api.client("shop").post("/suppressions/check", content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")

    def test_no_other_site_may_read(self, api: Api) -> None:
        answer = api.client("shop").get("/bounces", headers={"origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith(("access-control-", "set-cookie"))]
        preflight = api.client("shop").options("/bounces", headers={"origin": "https://evil.example"})
        assert (preflight.status_code, preflight.headers["allow"]) == (405, "GET, HEAD")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"

    def test_a_cookie_is_no_key(self, api: Api) -> None:
        client = api.client("shop", key="")
        assert client.get("/bounces", headers={"cookie": f"key={api.key('shop', Scope.READ)}"}).status_code == 401

    def test_what_is_not_here(self, api: Api) -> None:
        client = api.client("shop")
        assert (
            client.get("/nothing").json()["detail"] == "/api/v1/nothing is not here: /api/v1/openapi.json names what is"
        )
        answer = client.delete("/messages")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        assert (client.head("/bounces").status_code, client.head("/bounces").content) == (200, b"")

    def test_too_many_requests(self, api: Api) -> None:
        slow = Api(api.database, api.settings.model_copy(update={"limits": Limits(api_requests=3)}))
        client, second = slow.client("shop"), slow.client("shop")
        assert [client.get("/bounces").status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = client.get("/bounces")
        assert 1 <= int(answer.headers["retry-after"]) <= 20
        assert answer.json()["detail"].startswith("too many requests with this key: wait ")
        assert second.get("/bounces").status_code == 200

    def test_a_revoked_key_and_one_that_gives_itself_more(self, api: Api) -> None:
        client = api.client("shop", Scope.KEYS, Scope.READ)
        made = client.post("/keys", json={"scopes": ["read"], "name": "news"}).json()
        assert (made["account"], made["scopes"], made["name"]) == ("shop", ["read"], "news")
        news = api.client(None, key=made["key"])
        assert news.get("/bounces").status_code == 200
        assert client.get(f"/keys/{made['id']}").json()["last_used_at"] is not None
        assert client.post("/keys", json={"scopes": ["read", "register"]}).status_code == 403
        assert client.post("/keys", json={"scopes": ["operator"]}).status_code == 403
        assert client.post(f"/keys/{made['id']}/revoke").json()["revoked_at"] is not None
        assert news.get("/bounces").status_code == 401

    def test_an_account_has_only_so_many_keys(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api_keys, "MOST", 3)
        client = api.client("shop")  # the second: the first was there before
        made = client.post("/keys", json={"scopes": ["read"]}).json()
        refused = client.post("/keys", json={"scopes": ["read"]})
        assert (refused.status_code, "at most 3 keys" in refused.json()["detail"]) == (409, True)
        client.post(f"/keys/{made['id']}/revoke")
        assert client.post("/keys", json={"scopes": ["read"]}).status_code == 201

    def test_an_expired_key(self, api: Api) -> None:
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        client = api.client("shop")
        assert client.post("/keys", json={"scopes": ["read"], "expires_at": soon}).status_code == 201
        past = client.post("/keys", json={"scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"})
        assert (past.status_code, "has passed" in past.json()["detail"]) == (422, True)

    def test_a_database_that_is_away(self, api: Api) -> None:
        client = api.client("shop")
        (api.settings.data_dir / "bouncemx.db").rename(api.settings.data_dir / "gone")
        api.database.close()
        answer = client.get("/bounces")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert str(api.settings.data_dir) not in answer.text
        (api.settings.data_dir / "gone").rename(api.settings.data_dir / "bouncemx.db")
        assert client.get("/bounces").status_code == 200

    def test_the_mail_is_a_download(self, api: Api) -> None:
        answer = api.client("shop").get("/captures/1/raw")
        assert (
            answer.content == b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered\r\n\r\nno such user \xff\x00\r\n"
        )
        assert answer.headers["content-type"] == "message/rfc822"
        assert answer.headers["content-disposition"] == 'attachment; filename="capture-1.eml"'

    def test_a_bounce_tells_the_return_path(self, api: Api) -> None:
        client = api.client("shop")
        (bounce,) = client.get("/bounces").json()["items"]
        assert bounce["message"]["return_path"] == "token-shop@rp.example"
        assert client.get("/captures/1").json()["message"] == bounce["message"]

    def test_statistics_count_from_a_day_on(self, api: Api) -> None:
        client = api.client("shop")
        old = client.get("/statistics?since=2026-01-01T00:00:00Z").json()
        assert (old["kinds"], old["types"]) == ([{"value": "failure", "number": 1}], [{"value": "hard", "number": 1}])
        assert client.get("/statistics?since=2036-01-01T00:00:00Z").json()["kinds"] == []


def test_a_bucket_fills_over_the_minute() -> None:
    now = 0.0
    rates = Rates(60, lambda: now)
    assert [rates.take(1) for _ in range(61)] == [0] * 60 + [1]
    now = 0.5
    assert rates.take(1) == 1
    now = 1.0
    assert (rates.take(1), rates.take(1)) == (0, 1)
    now = 1000.0
    assert [rates.take(1) for _ in range(61)] == [0] * 60 + [1]
    assert rates.take(2) == 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_first_requests_may_come_at_once(api: Api) -> None:
    """What the document says is made by the first one, while the others wait."""
    key = api.key("shop", Scope.READ)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: api.client("shop", key=key).get("/bounces").status_code, range(8)))
    assert answers == [200] * 8
