"""Suppressions over the API: said, followed, lifted, by whom and within what limits."""

import csv
import io
import json
from typing import Any

import pytest

from server.api.problems import MEDIA_TYPE
from storage.api_keys import Scope
from tests.integration.api_fixture import Api


def checked(api: Api, account: str, *addresses: str) -> list[bool]:
    answer = api.client(account, Scope.READ).post("/suppressions/check", json={"addresses": list(addresses)})
    return [each["suppressed"] for each in answer.json()["items"]]


def said(*addresses: str, **fields: Any) -> dict[str, Any]:
    return {"addresses": list(addresses), "why": "asked", **fields}


def test_what_a_person_says_is_suppressed_and_lifted_for_one_account(api: Api) -> None:
    client = api.client("shop")
    assert client.post("/suppressions", json=said("Eve@x.example", "eve@x.example")).json() == {"added": 1}
    assert client.post("/suppressions", json=said("eve@x.example")).json() == {"added": 0}
    assert checked(api, "shop", "EVE@x.example", "bob@x.example") == [True, False]
    assert checked(api, "other", "eve@x.example") == [False]
    lifted = client.post("/unbounce", json=said("EVE@x.example", "bob@x.example", who="Ann"))
    assert lifted.json() == {"addresses": ["eve@x.example"]}
    assert checked(api, "shop", "eve@x.example") == [False]
    assert client.post("/unbounce", json=said("eve@x.example")).json() == {"addresses": []}


def test_changes_tell_who_and_are_followed(api: Api) -> None:
    client, reader = api.client("shop"), api.client("shop", Scope.READ)
    before = reader.get("/suppressions/changes").json()
    assert [each["change"] for each in before["items"]] == ["added"]
    client.post("/suppressions", json=said("eve@x.example"))
    client.post("/unbounce", json=said("eve@x.example", who="Ann"))
    after = reader.get("/suppressions/changes", params={"cursor": before["cursor"]}).json()["items"]
    assert [(each["change"], each["address"], each["why"]) for each in after] == [
        ("added", "eve@x.example", "asked"),
        ("lifted", "eve@x.example", "asked"),
    ]
    assert after[0]["who"].startswith("key ")
    assert after[1]["who"] == f"{after[0]['who']}: Ann"


def test_what_holds_for_everyone_only_an_operator_lifts(api: Api) -> None:
    operator, shop = api.client(None), api.client("shop")
    assert operator.post("/suppressions", json=said("eve@x.example")).json() == {"added": 1}
    assert checked(api, "shop", "eve@x.example") == checked(api, "other", "eve@x.example") == [True]
    assert shop.post("/unbounce", json=said("eve@x.example")).json() == {"addresses": []}
    refused = shop.post("/unbounce", json=said("eve@x.example", everyone=True))
    assert (refused.status_code, refused.headers["content-type"]) == (403, MEDIA_TYPE)
    assert checked(api, "shop", "eve@x.example") == [True]
    assert operator.post("/unbounce", json=said("eve@x.example", everyone=True)).json()["addresses"]
    assert checked(api, "shop", "eve@x.example") == [False]


def test_of_what_holds_for_everyone_an_account_learns_no_more_than_that(api: Api) -> None:
    """The reasons, and who did it, are of other accounts."""
    operator, shop = api.client(None), api.client("shop")
    operator.post("/suppressions", json=said("eve@x.example", why="acme's list", who="Boss"))
    operator.post("/unbounce", json=said("eve@x.example", everyone=True, why="acme's word", who="Boss"))
    operator.post("/suppressions", json=said("eve@x.example", why="acme's list", who="Boss"))
    told = [
        shop.get(path).text
        for path in (
            "/suppressions",
            "/suppressions?state=all&address=eve@x.example",
            "/suppressions/changes",
            "/suppressions/export",
            "/suppressions/export?format=jsonl",
            "/suppressions/export?format=postfix",
            "/contacts?address=eve@x.example",
        )
    ]
    assert all("eve@x.example" in text for text in told)
    assert not [text for text in told if "acme" in text or "Boss" in text]
    (row,) = shop.get("/suppressions?address=eve@x.example").json()["items"]
    assert (row["account"], row["type"], row["category"], row["reason"]) == (None, "global", None, None)
    (row,) = operator.get("/suppressions?address=eve@x.example").json()["items"]
    assert (row["category"], row["reason"]) == ("other", "suppressed")
    assert shop.get("/suppressions?address=eve@x.example&reason=suppressed").json()["items"] == []
    assert operator.get("/suppressions/changes").text.count("acme's list") == 2
    assert "eve@x.example REJECT suppressed: everywhere since" in told[5]


@pytest.mark.parametrize(
    "address", ["ann", " ann@x.example", "ann@x.example ", "a@x.example\n", "a\0@x.example", "@x", "a b@x"]
)
def test_what_is_no_address_is_not_suppressed_in_vain(api: Api, address: str) -> None:
    client = api.client("shop")
    refused = client.post("/suppressions", json=said("bob@x.example", address))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "addresses.1")
    assert checked(api, "shop", "bob@x.example") == [False]


def test_a_day_has_its_limit(api: Api) -> None:
    few = Api(api.database, api.settings.model_copy(update={"unbounce_per_day": 2}))
    addresses = [f"u{n}@x.example" for n in range(3)]
    client = few.client("shop")
    client.post("/suppressions", json=said(*addresses))
    refused = client.post("/unbounce", json=said(*addresses))
    assert (refused.status_code, "2 are left" in refused.json()["detail"]) == (409, True)
    assert checked(few, "shop", *addresses) == [True] * 3
    assert len(client.post("/unbounce", json=said(*addresses[:2])).json()["addresses"]) == 2
    assert client.post("/unbounce", json=said(addresses[2])).status_code == 409


def test_an_incident_is_decided_once_a_word_is_said(api: Api) -> None:
    client, key = api.client("shop"), api.ids["shop"]["incident"]
    assert client.get("/incidents?state=open").json()["items"][0]["decision"] is None
    decided = client.post(f"/incidents/{key}/release", json={"why": "a listing", "who": "Ann"}).json()
    assert (decided["decision"], decided["why"]) == ("released", "a listing")
    assert decided["who"].endswith(": Ann")
    assert client.get("/incidents?state=closed").json()["items"] == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/unbounce", {"addresses": ["a@x.example"]}),
        ("/unbounce", {"addresses": ["a@x.example"], "why": " "}),
        ("/suppressions", {"addresses": ["a@x.example"], "why": "x", "expires_at": "2020-01-01T00:00:00Z"}),
        ("/incidents/1/release", {}),
    ],
)
def test_what_is_not_said_well_changes_nothing(api: Api, path: str, body: dict[str, Any]) -> None:
    client = api.client("shop")
    before = client.get("/suppressions/changes").json()
    assert client.post(path, json=body).status_code == 422
    assert client.get("/suppressions/changes").json() == before


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_advice_comes_in_three_languages(api: Api) -> None:
    client = api.client("shop", Scope.READ)
    texts = {language: client.get(f"/advice?language={language}").json()["items"] for language in ("en", "no", "pl")}
    names = [each["name"] for each in texts["en"]]
    assert {"unknown_user", "spam", "pending", "global"} <= set(names)
    assert [[each["name"] for each in one] for one in texts.values()] == [names] * 3
    assert len({texts[language][0]["do"] for language in texts}) == 3
    assert client.get("/advice?language=fr").status_code == 422


def test_an_export_has_what_holds_now(api: Api) -> None:
    client = api.client("shop")
    odd = ["=cmd|x!a1@x.example", '"a b"@x.example', "#a@x.example"]
    client.post("/suppressions", json=said("eve@x.example", "gone@x.example", *odd))
    api.client(None).post("/suppressions", json=said("eve@x.example", "all@x.example"))
    client.post("/unbounce", json=said("gone@x.example"))

    lines = client.get("/suppressions/export?format=jsonl")
    rows = [json.loads(line) for line in lines.text.splitlines()]
    expected = ["ann@shop.example", "eve@x.example", *odd, "eve@x.example", "all@x.example"]
    assert sorted(row["address"] for row in rows) == sorted(expected)
    assert sorted(str(row["account"]) for row in rows) == ["None"] * 2 + ["shop"] * 5
    assert lines.headers["content-disposition"] == 'attachment; filename="suppressions.jsonl"'

    table = list(csv.DictReader(io.StringIO(client.get("/suppressions/export").text)))
    assert sorted(row["address"].removeprefix("'") for row in table) == sorted(expected)
    assert not [cell for row in table for cell in row.values() if cell[:1] in tuple("=+-@\t\r")]

    access_map = client.get("/suppressions/export?format=postfix")
    keys = [line.split(" ")[0] for line in access_map.text.splitlines()]
    assert sorted(keys) == ["=cmd|x!a1@x.example", "all@x.example", "ann@shop.example", "eve@x.example"]
    assert "ann@shop.example REJECT suppressed: user_unknown since 2026-03-04\n" in access_map.text
    assert client.get("/suppressions/export?format=xml").status_code == 422


def test_a_long_export_is_whole(api: Api) -> None:
    client = api.client("shop")
    client.post("/suppressions", json=said(*(f"u{n}@x.example" for n in range(2500))))
    assert len(client.get("/suppressions/export?format=postfix").text.splitlines()) == 2501
