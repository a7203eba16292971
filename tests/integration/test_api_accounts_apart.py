"""An account sees its own rows alone: every route of the API, with another account's ids, tells nothing."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from server.api.application import build
from server.settings import Settings
from storage import erasure, hand_links, suppressions, webhooks
from storage.api_keys import Scope
from storage.erasure import Order
from storage.tables import capture
from tests.integration.api_fixture import ALL, NOW, Api


@dataclass(frozen=True)
class Probe:
    """What to ask of a route, with {ids} of an account put in, and what shows that something is its own."""

    path: str
    body: Any = None
    shows: str = ""  # stands in the answer to the account itself, where a list has it
    operators: bool = False  # only for an operator's key
    own: int = 200
    others: int = field(default=404)  # to the other account: not there; a list without the rows is 200


def listed(path: str, shows: str) -> Probe:
    return Probe(path, shows=shows, others=200)


# a route that is not here fails the test below: whoever adds one says how another account is kept out of it
PROBES = {
    "GET /messages": listed("/messages", "<m@{name}.example>"),
    "GET /messages/{id}": Probe("/messages/{message}", shows="<m@{name}.example>"),
    "GET /messages/{id}/resend": Probe("/messages/{message}/resend", shows="bob@{name}.example"),
    "GET /messages/{id}/resend/export": Probe("/messages/{message}/resend/export", shows="bob@{name}.example"),
    "POST /messages": Probe(
        "/messages?account={name}", {"messages": [{"recipients": ["bob@x.example"]}]}, shows="bob@x.example"
    ),
    "GET /deliveries": listed("/deliveries", "ann@{name}.example"),
    "GET /deliveries/{id}": Probe("/deliveries/{delivery}", shows="ann@{name}.example"),
    "GET /captures": listed("/captures", "ann@{name}.example"),
    "GET /captures/{id}": Probe("/captures/{capture}", shows="ann@{name}.example"),
    "GET /captures/{id}/raw": Probe("/captures/{capture}/raw", shows="no such user"),
    "POST /captures/{id}/link": Probe(
        "/captures/{loose}/link", {"delivery": "{delivery}", "why": "told"}, shows="told"
    ),
    "POST /captures/{id}/unlink": Probe("/captures/{linked}/unlink", {"why": "wrong"}, shows='"linked_by_hand":null'),
    "POST /erasures": Probe(
        "/erasures?account={name}", {"address": "x@{name}.example", "why": "asked"}, shows="hash:", own=201
    ),
    "GET /erasures": Probe("/erasures?address=gone@{name}.example", shows="her request of {name}", others=200),
    "GET /bounces": listed("/bounces", "ann@{name}.example"),
    "GET /bounces/{id}": Probe("/bounces/{bounce}", shows="ann@{name}.example"),
    "GET /suppressions": listed("/suppressions", "ann@{name}.example"),
    "GET /suppressions/export": listed("/suppressions/export?format=jsonl", "ann@{name}.example"),
    "POST /suppressions/check": Probe(
        "/suppressions/check", {"addresses": ["ann@{name}.example"]}, shows='"suppressed":true', others=200
    ),
    "POST /suppressions": Probe(
        "/suppressions?account={name}", {"addresses": ["new@{name}.example"], "why": "asked"}, shows='"added":1'
    ),
    "GET /suppressions/changes": listed("/suppressions/changes", "ann@{name}.example"),
    "POST /unbounce": Probe(
        "/unbounce", {"addresses": ["gone@{name}.example"], "why": "asked"}, shows="gone@{name}.example", others=200
    ),
    "GET /contacts": Probe(
        "/contacts?address=ann@{name}.example&account={name}", shows='"last_hard_bounce_reason":"unknown_user"'
    ),
    "GET /incidents": listed("/incidents", '"id":{incident},'),
    "GET /incidents/{id}": Probe("/incidents/{incident}", shows='"id":{incident},'),
    "POST /incidents/{id}/release": Probe(
        "/incidents/{incident}/release", {"why": "it was us"}, shows='"id":{incident}'
    ),
    "POST /incidents/{id}/confirm": Probe(
        "/incidents/{incident}/confirm", {"why": "it was not"}, shows='"id":{incident}'
    ),
    "POST /incidents/{id}/unbounce": Probe("/incidents/{incident}/unbounce", {"why": "all"}, shows='"addresses":'),
    "GET /advice": Probe("/advice", others=200),
    "GET /events": listed("/events", '"delivery":{delivery}'),
    "GET /webhooks": listed("/webhooks", "hooks.{name}.example"),
    "POST /webhooks": Probe(
        "/webhooks?account={name}", {"url": "https://new.example/"}, shows='"account":"{name}"', own=201
    ),
    "GET /webhooks/{id}": Probe("/webhooks/{webhook}", shows="hooks.{name}.example"),
    "PATCH /webhooks/{id}": Probe("/webhooks/{webhook}", {"enabled": False}, shows="hooks.{name}.example"),
    "POST /webhooks/{id}/secret": Probe("/webhooks/{webhook}/secret", {}, shows="whsec_"),
    "GET /webhooks/{id}/tries": Probe("/webhooks/{webhook}/tries"),
    "GET /webhooks/{id}/events": Probe("/webhooks/{webhook}/events"),
    "POST /webhooks/{id}/redeliver": Probe("/webhooks/{webhook}/redeliver", {}, shows='"queued":'),
    "DELETE /webhooks/{id}": Probe("/webhooks/{spare}", own=204),
    "GET /statistics": listed("/statistics?account={name}", "user_unknown"),
    "GET /keys": listed("/keys", '"id":{key},'),
    "GET /keys/{id}": Probe("/keys/{key}", shows='"id":{key},'),
    "POST /keys": Probe("/keys?account={name}", {"scopes": ["keys"]}, shows='"account":"{name}"', own=201),
    "POST /keys/{id}/revoke": Probe("/keys/{key}/revoke", shows='"id":{key},'),
    "GET /blindspots": Probe("/blindspots?since=2026-01-01T00:00:00Z", operators=True),
    "GET /accounts": Probe("/accounts", operators=True),
    "GET /accounts/{id}": Probe("/accounts/{account}", operators=True),
    "POST /accounts": Probe("/accounts", {"name": "third"}, operators=True, own=201),
}


def routes() -> list[str]:
    document = build(None, Settings(data_dir="/nowhere")).openapi()  # type: ignore[arg-type]
    return [f"{method.upper()} {path}" for path, each in document["paths"].items() for method in each]


def ask(client: TestClient, api: Api, route: str, name: str) -> tuple[int, str, str]:
    """Asks with the ids of `name`; the status, the text, and what shows that a row is its own."""
    probe = PROBES[route]
    prepare(api, route, name)
    values = {"name": name, **api.ids[name]}
    for placeholder, make in MADE.items():
        if f"{{{placeholder}}}" in probe.path:
            values[placeholder] = make(api, name)
    body = None if probe.body is None else _filled(probe.body, values)
    answer = client.request(route.partition(" ")[0], probe.path.format(**values), json=body)
    return answer.status_code, answer.text, _filled(probe.shows, values)


def prepare(api: Api, route: str, name: str) -> None:
    """What must have happened before, so that there is something to look at."""
    if route == "POST /unbounce":
        _suppress(api, f"gone@{name}.example", name)
    if route == "GET /erasures":
        _erase(api, name)


def _spare(api: Api, name: str) -> int:
    """A webhook that is there to be removed."""
    with api.database.writer() as connection:
        made = webhooks.add(
            connection, api.ids[name]["account"], "https://spare.example/", [], "whsec_" + "A" * 32, NOW
        )
        return int(made["id"])


def loose(api: Api, name: str) -> int:
    """A capture of the account that nothing ties to a delivery."""
    with api.database.writer() as connection:
        like = connection.execute(select(capture).where(capture.c.id == api.ids[name]["capture"])).mappings().one()
        new = connection.execute(select(func.max(capture.c.id))).scalar_one() + 1
        untied = {"id": new, "delivery_id": None, "detectability": "undetectable", "links": []}
        connection.execute(capture.insert().values({**like, **untied}))
    return int(new)


def linked(api: Api, name: str) -> int:
    """One that a person has tied."""
    new = loose(api, name)
    with api.database.writer() as connection:
        assert hand_links.link(connection, new, api.ids[name]["delivery"], "eve", "told")
    return new


def _erase(api: Api, name: str) -> None:
    order = Order(f"gone@{name}.example", api.ids[name]["account"], "eve", f"her request of {name}", NOW)
    with api.database.writer() as connection:
        erasure.erase(connection, order, [])


def _suppress(api: Api, address: str, name: str) -> None:
    with api.database.writer() as connection:
        suppressions.add(connection, api.ids[name]["account"], [suppressions.Said(address)], now=NOW)


MADE = {"spare": _spare, "loose": loose, "linked": linked}


def _filled(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    for name, each in values.items():
        if value == f"{{{name}}}":
            return each
        value = value.replace(f"{{{name}}}", str(each))
    return value


def test_every_route_has_a_probe() -> None:
    assert sorted(PROBES) == sorted(routes())


def test_an_account_sees_its_own(api: Api, subtests: pytest.Subtests) -> None:
    client = api.client("shop")
    for route, probe in PROBES.items():
        with subtests.test(route):
            status, text, shows = ask(client, api, route, "shop")
            assert status == (403 if probe.operators else probe.own), text
            assert probe.operators or shows in text


def test_an_account_sees_nothing_of_another(api: Api, subtests: pytest.Subtests) -> None:
    client = api.client("shop")
    for route, probe in PROBES.items():
        with subtests.test(route):
            expected = 403 if probe.operators else 404 if "account=" in probe.path else probe.others
            status, text, shows = ask(client, api, route, "other")
            assert status == expected, text
            assert not shows or shows not in text


def test_an_operator_sees_both(api: Api, subtests: pytest.Subtests) -> None:
    client = api.client(None)
    for route, probe in PROBES.items():
        for name in ("shop", "other"):
            with subtests.test(route, name=name):
                status, text, shows = ask(client, api, route, name)
                assert status in (probe.own, 409), text  # the second time, a new account is there already
                assert shows in text or status == 409 or route == "POST /suppressions"


def test_without_a_good_key_nothing_is_told(api: Api, subtests: pytest.Subtests) -> None:
    good = api.key("shop", Scope.READ)
    for key in ("", "x", "bmx_1_" + "0" * 64, good[:-1], good.upper(), f"{good}0"):
        client = api.client(None, key=key)
        for route in PROBES:
            with subtests.test(route, key=key):
                status, text, shows = ask(client, api, route, "shop")
                assert (status, bool(shows) and shows in text) == (401, False)


def test_one_scope_opens_a_route(api: Api, subtests: pytest.Subtests) -> None:
    """And the others do not; an operator's opens all."""
    clients = [api.client("shop", scope) for scope in ALL]
    operator = api.client(None)
    for route, probe in PROBES.items():
        with subtests.test(route):
            refused = [ask(client, api, route, "shop")[0] == 403 for client in clients]
            assert sorted(refused) == [probe.operators, *[True] * (len(ALL) - 1)]
            assert ask(operator, api, route, "shop")[0] != 403
