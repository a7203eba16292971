"""A page of deliveries costs what it shows, however many the account has."""

from typing import Any

import pytest
from sqlalchemy import event, text

from tests.integration.api_fixture import Api

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)  # whose planner has no statistics


def plan(api: Api, query: str) -> str:
    asked: list[tuple[str, Any]] = []
    engine = api.database._readers
    event.listen(engine, "before_cursor_execute", lambda *seen: asked.append((seen[2], seen[3])))
    answer = api.client("shop").get(f"/deliveries{query}")
    assert answer.status_code == 200, answer.text
    sql, values = next((sql, values) for sql, values in reversed(asked) if "FROM delivery" in sql)
    with api.database.reader() as connection:
        return "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize("query", ["", "?cursor=9", "?order=oldest", "?state=sent"])
def test_all_of_an_account_are_read_in_their_order(api: Api, query: str) -> None:
    assert "ix_delivery_account_id_id (account_id=?" in plan(api, query)
    assert "TEMP B-TREE" not in plan(api, query)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("?recipient=Ann@shop.example", "ix_delivery_recipient_key (recipient_key=?"),
        ("?message=1", "ix_delivery_message_id_recipient_key (message_id=?"),
        ("?message=1&recipient=ann@shop.example", "recipient_key=?"),
    ],
)
def test_the_few_that_are_asked_for_are_searched(api: Api, query: str, index: str) -> None:
    assert index in plan(api, query)


def test_a_delivery_has_the_account_of_its_message(api: Api) -> None:
    body = {"messages": [{"message_id": "<new@shop.example>", "recipients": ["a@x.example", "b@x.example"]}]}
    assert api.client("shop").post("/messages", json=body).status_code < 300
    apart = "SELECT count(*) FROM delivery d JOIN message m ON m.id = d.message_id WHERE d.account_id <> m.account_id"
    with api.database.reader() as connection:
        assert connection.execute(text("SELECT count(*) FROM delivery")).scalar_one() >= 4
        assert connection.execute(text(apart)).scalar_one() == 0
