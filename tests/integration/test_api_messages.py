"""Registering messages over the API: one or thousands, once, however often it is asked."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers import verp
from handlers.keys import account_key
from handlers.outcome import Outcome
from server.api.problems import MEDIA_TYPE
from storage import accounts
from storage.api_keys import Scope
from storage.keyring import open_or_create
from storage.ledger import Ledger
from tests.integration.api_fixture import DOMAIN, Api

Make = Callable[..., Outcome]


def message(*recipients: Any, **fields: Any) -> dict[str, Any]:
    return {"recipients": list(recipients), **fields}


def post(api: Api, *messages: dict[str, Any], account: str = "shop", key: str | None = None) -> Any:
    headers = {"idempotency-key": key} if key else {}
    return api.client(account, Scope.REGISTER).post("/messages", json={"messages": messages}, headers=headers)


def items(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_each_recipient_gets_a_return_path(api: Api) -> None:
    made = items(post(api, message("ann@x.example", "Bob@x.example", message_id="m1@x.example", campaign="c")))
    assert [each["recipient"] for each in made] == ["ann@x.example", "Bob@x.example"]
    assert {(each["message_id"], each["account"]) for each in made} == {("<m1@x.example>", "shop")}
    ring, today = open_or_create(api.settings.data_dir), datetime.now(UTC).date()
    for each in made:
        local_part, _, domain = each["return_path"].partition("@")
        found = verp.verify(local_part, domain, ring, today)
        assert (domain, found.state) == (DOMAIN, "valid")
        assert found.token is not None
        assert verp.is_for(found.token, each["recipient"], ring)
        with api.database.reader() as connection:
            delivery = Ledger(connection).by_token(local_part)
        assert delivery is not None
        assert (delivery.id, delivery.recipient) == (each["delivery"], each["recipient"])
        assert (delivery.message.campaign, delivery.message.envelope_id) == ("c", each["envelope_id"])


def test_the_same_again_is_the_same(api: Api) -> None:
    asked = [message("ann@x.example", "ann@x.example", message_id="<m1@x.example>"), message("bob@x.example")]
    first = items(post(api, *asked))
    again = items(post(api, message("zoe@x.example", *asked[0]["recipients"], message_id="m1@x.example")))
    assert first[0] == first[1] == again[1] == again[2]
    assert again[0]["envelope_id"] == first[0]["envelope_id"]
    assert items(post(api, asked[1]))[0] != first[2]  # without a Message-ID it is another message


def test_an_idempotency_key_makes_one_request_of_two(api: Api) -> None:
    asked = [message("ann@x.example"), message("bob@x.example")]
    first = items(post(api, *asked, key="k1"))
    assert len({each["message_id"] for each in first}) == 2
    assert items(post(api, *asked, key="k1")) == first
    assert items(post(api, *asked, key="k2")) != first
    assert items(post(api, *asked, key="k1", account="other")) != first
    refused = post(api, message("zoe@x.example"), key="k1")
    assert (refused.status_code, refused.headers["content-type"]) == (422, MEDIA_TYPE)
    assert refused.json()["errors"][0]["field"] == "Idempotency-Key"


def test_accounts_may_use_one_message_id(api: Api) -> None:
    one = items(post(api, message("ann@x.example", message_id="m@x.example")))
    other = items(post(api, message("ann@x.example", message_id="m@x.example"), account="other"))
    assert one[0]["return_path"] != other[0]["return_path"]
    assert [one[0]["account"], other[0]["account"]] == ["shop", "other"]


def test_return_paths_minted_offline_are_registered(api: Api) -> None:
    with api.database.reader() as connection:
        shop = accounts.find(connection, "shop")
    assert shop is not None
    key = account_key(open_or_create(api.settings.data_dir), shop.id)
    token = verp.mint(key, DOMAIN, "ann@x.example", datetime.now(UTC).date())
    own = {"address": "ann@x.example", "return_path": f"{token.upper()}@{DOMAIN.upper()}"}
    made = items(post(api, message(own, message_id="m@x.example")))
    other_end = token[:-1] + ("b" if token.endswith("a") else "a")
    assert made[0]["return_path"] == f"{token}@{DOMAIN}"
    for wrong, told in (
        ({**own, "address": "bob@x.example"}, "was not minted for bob@x.example"),
        ({**own, "return_path": f"{other_end}@{DOMAIN}"}, "is no return path of ours"),
        ({**own, "return_path": f"{token}@elsewhere.example"}, "is no return path of ours"),
        ({**own, "return_path": "x"}, "is no return path of ours"),
    ):
        refused = post(api, message(wrong))
        assert refused.status_code == 422
        assert told in refused.json()["detail"]
    assert "was not minted for" in post(api, message(own), account="other").json()["detail"]


def test_without_minting_a_delivery_has_no_return_path(api: Api) -> None:
    asked = message("ann@x.example", message_id="m@x.example", envelope_id="e1", mint=False)
    first = items(post(api, asked))
    assert (first[0]["return_path"], first[0]["envelope_id"]) == (None, "e1")
    assert items(post(api, asked)) == first


def test_a_capture_that_came_before_is_due(api: Api) -> None:
    with api.database.writer() as connection:
        connection.exec_driver_sql("INSERT INTO waiting (value, capture_id, due) VALUES ('<late@x.example>', 1, false)")
        connection.exec_driver_sql("INSERT INTO waiting (value, capture_id, due) VALUES ('<not@x.example>', 1, false)")
    items(post(api, message("ann@x.example", message_id="late@x.example")))
    with api.database.reader() as connection:
        due = connection.exec_driver_sql("SELECT value FROM waiting WHERE due").scalars().all()
    assert due == ["<late@x.example>"]


def test_thousands_in_one_request(api: Api) -> None:
    one = items(post(api, message(*(f"u{n}@x.example" for n in range(3000)), message_id="one@x.example")))
    many = items(post(api, *(message(f"u{n}@x.example", message_id=f"m{n}@x.example") for n in range(3000))))
    assert [each["recipient"] for each in one] == [each["recipient"] for each in many]
    assert len({each["return_path"] for each in [*one, *many]}) == 6000
    assert len({each["delivery"] for each in [*one, *many]}) == 6000


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_two_requests_at_once_do_not_wait_for_each_other(api: Api) -> None:
    """One in the order of the other backwards: each would hold a row that the other one wants."""
    messages = [message("ann@x.example", message_id=f"m{n}@x.example") for n in range(1500)]
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda order: post(api, *order), (messages, messages[::-1]))
    assert items(one) == items(other)[::-1]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
class TestRefused:
    def test_all_or_nothing(self, api: Api, subtests: pytest.Subtests) -> None:
        good = message("ann@x.example", message_id="never@x.example")
        for wrong, field in (
            (message("no address"), "messages.1.recipients.0"),
            (message("a@x.example", "b@x.example> SIZE=1"), "messages.1.recipients.1"),
            (message("a" * 321), "messages.1.recipients.0"),
            (message("a@x.example\r\nRCPT TO:<b@x.example>"), "messages.1.recipients.0"),
            (message("a@x.example", kind="spam"), "messages.1.kind"),
            (message("a@x.example", colour="red"), "messages.1.colour"),
            (message("a@x.example", sent_at="2026-03-04T05:06:07"), "messages.1.sent_at"),
            (message("a@x.example", message_id=7), "messages.1.message_id"),
            (message(), "messages.1.recipients"),
            ({}, "messages.1.recipients"),
            ("x", "messages.1"),
        ):
            with subtests.test(str(wrong)[:60]):
                refused = post(api, good, wrong)
                assert (refused.status_code, refused.headers["content-type"]) == (422, MEDIA_TYPE)
                problem = refused.json()
                assert problem["errors"][0]["field"].startswith(field)
                assert problem["detail"].startswith(field)
        assert "never@x.example" not in api.client("shop").get("/messages").text

    def test_what_no_message_id_can_be(self, api: Api) -> None:
        refused = post(api, message("ann@x.example", message_id="a\r\nBcc: eve@x.example"))
        assert (refused.status_code, "printable text" in refused.json()["detail"]) == (422, True)

    def test_too_many(self, api: Api) -> None:
        too_many = [f"u{n}@x.example" for n in range(6000)]
        refused = post(api, message(*too_many), message(*too_many))
        assert (refused.status_code, "more than 10000 recipients" in refused.json()["detail"]) == (422, True)

    def test_an_operator_says_for_whom(self, api: Api) -> None:
        client = api.client(None)
        body = {"messages": [message("ann@x.example")]}
        assert client.post("/messages", json=body).json()["errors"][0]["field"] == "account"
        assert client.post("/messages?account=shop", json=body).json()["items"][0]["account"] == "shop"
        assert client.post("/messages?account=nobody", json=body).status_code == 404
