"""Who may get a message again."""

import csv
import io
import json
from datetime import timedelta

import pytest

from server import minting
from storage import accounts, messages, resend, suppressions
from storage.suppressions import Said
from storage.tables import delivery_state
from tests.integration.api_fixture import Api
from tests.integration.reclassify_fixture import FULL, NOW, UNKNOWN, Shop, notice

REPLIES = {"soft@x.example": FULL, "dead@x.example": UNKNOWN, "since@x.example": FULL, "quiet@x.example": None}


def test_the_soft_ones_that_may_be_mailed(shop: Shop) -> None:
    minted = minting.mint(shop.settings, minting.Request(tuple(REPLIES), "<m1@s.example>"))
    for each in minted:
        reply = REPLIES[each["recipient"]]
        if reply:
            shop.take(each["return_path"], notice(each["recipient"], reply))
    shop.bounce("other@x.example", FULL)
    with shop.database.writer() as connection:
        account = accounts.ensure(connection, "default").id
        suppressions.add(connection, account, [Said("Since@x.example")], now=NOW)
        (key,) = resend.keys(connection, "<m1@s.example>", "default")
        assert resend.keys(connection, "<m1@s.example>", "shop") == []
        found = list(resend.contacts(connection, key, NOW + timedelta(days=1)))
    assert found == [
        {
            "address": "soft@x.example",
            "message_id": "<m1@s.example>",
            "category": "recipient_problem",
            "reason": "mailbox_full",
            "resolution": None,
            "since": NOW.isoformat(),
        }
    ]


@pytest.fixture
def many(api: Api) -> tuple[int, list[str]]:
    """A message of shop with 1200 soft recipients; every third must not be mailed."""
    addresses = [f"u{number}@x.example" for number in range(1200)]
    with api.database.writer() as connection:
        made = messages.register(
            connection, "shop", [(each, None) for each in addresses], message_id="<many@x.example>"
        )
        stands = {"state": "soft", "category": "technical_problem", "reason": "system_error", "since": NOW}
        connection.execute(delivery_state.insert(), [{"delivery_id": each.id, **stands} for each in made])
        shop_id = accounts.ensure(connection, "shop").id
        suppressions.add(connection, shop_id, [Said(each) for each in addresses[::3]], now=NOW)
        (key,) = resend.keys(connection, "<many@x.example>")
    return key, [each for number, each in enumerate(addresses) if number % 3]


def test_a_long_one_comes_in_pages_and_as_an_export(api: Api, many: tuple[int, list[str]]) -> None:
    key, expected = many
    client = api.client("shop")
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get(f"/messages/{key}/resend", params=cursor).json()
        found += [each["address"] for each in page["items"]]
        assert len(page["items"]) <= 500
        if not page["more"]:
            break
        cursor = {"cursor": page["cursor"]}
    assert found == expected
    answer = client.get(f"/messages/{key}/resend/export")
    assert [row["address"] for row in csv.DictReader(io.StringIO(answer.text))] == expected
    assert answer.headers["content-disposition"] == f'attachment; filename="resend-{key}.csv"'
    lines = client.get(f"/messages/{key}/resend/export?format=jsonl").text.splitlines()
    assert [json.loads(line)["address"] for line in lines] == expected
    assert client.get(f"/messages/{key}/resend/export?format=postfix").status_code == 422
    assert api.client("other").get(f"/messages/{key}/resend/export").status_code == 404
    with api.database.reader() as connection:
        assert [each["address"] for each in resend.contacts(connection, key, NOW)] == expected
