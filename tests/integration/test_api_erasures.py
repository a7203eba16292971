"""Erasing addresses and linking captures by hand over the API: each account its own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event

from handlers.envelope import Envelope
from server import erasing
from server.api.problems import MEDIA_TYPE
from storage import captures, journal
from storage.api_keys import Scope
from storage.tables import capture
from tests.integration.api_fixture import NOW, Api
from tests.integration.test_api_accounts_apart import linked, loose


def erase(api: Api, whose: str | None, address: str, **query: str) -> Any:
    client = api.client(whose, Scope.ERASE)
    return client.post("/erasures", params=query, json={"address": address, "why": "her request", "who": "Eve"})


def test_an_account_erases_what_is_its_own(api: Api) -> None:
    shop, other = api.client("shop"), api.client("other")
    for client in (shop, other):
        client.post("/suppressions", json={"addresses": ["ann@shop.example"], "why": "asked"})
    answer = erase(api, "shop", "ANN@shop.example")
    assert answer.status_code == 201
    certificate = answer.json()
    assert (certificate["account"], certificate["removed"]["delivery"], certificate["why"]) == (
        "shop",
        1,
        "her request",
    )
    assert certificate["who"].endswith(": Eve")
    assert shop.get("/deliveries?recipient=ann@shop.example").json()["items"] == []
    assert shop.get("/captures/1/raw").content == b""
    checked = [client.post("/suppressions/check", json={"addresses": ["ann@shop.example"]}) for client in (shop, other)]
    assert [each.json()["items"][0]["suppressed"] for each in checked] == [True, True]
    assert "ann@shop.example" in other.get("/suppressions").text
    assert "ann@shop.example" not in shop.get("/suppressions").text
    (found,) = shop.get("/erasures?address=Ann@shop.example").json()["items"]
    assert found == certificate
    assert other.get("/erasures?address=ann@shop.example").json()["items"] == []


def test_an_operator_erases_everywhere_and_no_account_learns_of_others(api: Api) -> None:
    certificate = erase(api, None, "ann@other.example").json()
    assert (certificate["account"], certificate["removed"]["delivery"]) == (None, 1)
    operator = api.client(None)
    assert operator.get("/erasures?address=ann@other.example").json()["items"] == [certificate]
    assert api.client("other").get("/erasures?address=ann@other.example").json()["items"] == []
    narrowed = erase(api, None, "ann@shop.example", account="other").json()
    assert (narrowed["account"], narrowed["removed"].get("delivery")) == ("other", None)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_others_are_sent_just_now_is_not_told(api: Api) -> None:
    """Of the journal, an account hears of the mails at its own return paths alone."""
    path = api.client("shop").post("/messages", json={"messages": [{"recipients": ["ann@x.example"]}]})
    returned = path.json()["items"][0]["return_path"]
    positions = append(api, returned, "bounces@rp.example")
    assert erase(api, "shop", "ann@x.example").json()["still_in_journal"] == positions[:1]
    assert erase(api, "other", "ann@x.example").json()["still_in_journal"] == []
    assert erase(api, None, "ann@x.example").json()["still_in_journal"] == positions


def append(api: Api, *forward_paths: str) -> list[int]:
    """Mails that name ann@x.example, in the journal."""
    raw = b"Subject: x\r\n\r\nann@x.example\r\n"
    with journal.Writer(api.settings.journal) as writer:
        return writer.write([(Envelope("", (path,), "mx.example", "192.0.2.7", NOW), raw) for path in forward_paths])


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
class TestOne:
    @pytest.mark.parametrize(
        "address", ["ann", "@x.example", "ann@", "a b\r\n@x.example", " @x.example", "ann@x.example "]
    )
    def test_no_address(self, api: Api, address: str) -> None:
        answer = erase(api, "shop", address)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "address")

    def test_one_at_a_time(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = erasing.erase

        def meanwhile(*given: Any) -> dict[str, Any]:
            with ThreadPoolExecutor(1) as threads:
                second.append(threads.submit(erase, api, "other", "bob@x.example").result())
            return whole(*given)

        second: list[Any] = []
        monkeypatch.setattr(erasing, "erase", meanwhile)
        assert erase(api, "shop", "ann@x.example").status_code == 201
        assert (second[0].status_code, second[0].headers["retry-after"]) == (429, "30")
        monkeypatch.setattr(erasing, "erase", whole)
        assert erase(api, "other", "bob@x.example").status_code == 201

    def test_a_fault_blocks_nobody(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*given: Any) -> dict[str, Any]:
            raise RuntimeError("a fault of ours")

        with monkeypatch.context() as patched:
            patched.setattr(erasing, "erase", broken)
            assert erase(api, "shop", "ann@x.example").status_code == 500
        assert erase(api, "shop", "ann@x.example").status_code == 201


class TestLinks:
    def test_a_person_says_what_a_capture_is_about_and_takes_it_back(self, api: Api) -> None:
        client, key, delivery = api.client("shop", Scope.LINK), loose(api, "shop"), api.ids["shop"]["delivery"]
        body = {"delivery": delivery, "why": "their support told us", "who": "Eve"}
        made = client.post(f"/captures/{key}/link", json=body).json()
        assert (made["linked_by_hand"]["delivery"], made["linked_by_hand"]["why"]) == (
            delivery,
            "their support told us",
        )
        assert made["linked_by_hand"]["who"].endswith(": Eve")
        assert made["detectability"] == "undetectable"
        again = client.post(f"/captures/{key}/link", json=body)
        assert (again.status_code, "unlink it first" in again.json()["detail"]) == (409, True)
        assert client.post(f"/captures/{key}/unlink", json={"why": "no"}).json()["linked_by_hand"] is None
        again = client.post(f"/captures/{key}/unlink", json={"why": "no"})
        assert (again.status_code, again.headers["content-type"]) == (409, MEDIA_TYPE)

    def test_many_are_listed_by_few_statements(self, api: Api) -> None:
        for _ in range(4):
            linked(api, "shop")
        statements = []
        with api.database.reader() as connection:
            event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2]))
            rows = connection.execute(captures.SHOWN.order_by(capture.c.id)).mappings().all()
            found = list(captures.shaped(connection, rows, all_accounts=False))
        assert len([each for each in found if each["linked_by_hand"]]) == 4
        assert len(statements) == 2

    def test_neither_the_capture_nor_the_delivery_may_be_anothers(self, api: Api) -> None:
        client, key = api.client("shop", Scope.LINK), loose(api, "shop")
        others = client.post(f"/captures/{key}/link", json={"delivery": api.ids["other"]["delivery"], "why": "x"})
        assert (others.status_code, others.json()["detail"]) == (
            404,
            f"delivery {api.ids['other']['delivery']} is not here",
        )
        mine = {"delivery": api.ids["shop"]["delivery"], "why": "x"}
        assert client.post(f"/captures/{loose(api, 'other')}/link", json=mine).status_code == 404
        nobodys = 3
        assert client.post(f"/captures/{nobodys}/link", json=mine).status_code == 404
        assert api.client(None).post(f"/captures/{nobodys}/link", json=mine).status_code == 200

    def test_what_is_tied_by_itself_is_not_open(self, api: Api) -> None:
        key = api.ids["shop"]["capture"]
        with api.database.writer() as connection:
            connection.execute(capture.update().where(capture.c.id == key).values(detectability="matched"))
        answer = api.client("shop").post(
            f"/captures/{key}/link", json={"delivery": api.ids["shop"]["delivery"], "why": "x"}
        )
        assert (answer.status_code, "is matched" in answer.json()["detail"]) == (409, True)

    @pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
    def test_words_that_nobody_could_read(self, api: Api) -> None:
        body = {"delivery": 1, "why": "a\0b"}
        assert api.client("shop").post(f"/captures/{loose(api, 'shop')}/link", json=body).status_code == 422
