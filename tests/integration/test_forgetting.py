"""Old events are forgotten: in order, in portions, and whoever comes for them is told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from handlers.events import Event, EventType
from server.settings import UserError, load
from storage import accounts, events, forgetting, webhook_queue, webhook_tries, webhooks
from storage.api_keys import Scope
from storage.database import Database
from storage.tables import event, event_count
from storage.webhook_tables import dispatch
from tests.integration.api_fixture import SECRET, Api

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def put(
    database: Database, *keys: str, at: datetime = NOW, delivery: int | None = None, account: int | None = None
) -> None:
    with database.writer() as connection:
        events.put(connection, [Event(EventType.COMPLAINT, key, account, delivery, {}, at) for key in keys])


def forget(database: Database, before: datetime) -> list[int]:
    """How many went in each portion."""
    found: list[int] = []
    while not found or found[-1]:
        with database.writer() as connection:
            found.append(forgetting.forget(connection, before))
    return found


def kept(database: Database) -> list[str]:
    with database.reader() as connection:
        return list(connection.execute(select(event.c.key).order_by(event.c.id)).scalars())


def test_the_oldest_go_in_portions(database: Database) -> None:
    put(database, *(f"k{number}" for number in range(1500)))
    put(database, "young", at=NOW + DAY)
    put(database, "told late", at=NOW)  # behind a younger one, so that no hole is made
    assert forget(database, NOW) == [0]
    assert forget(database, NOW + timedelta(seconds=1)) == [1000, 500, 0]
    assert kept(database) == ["young", "told late"]
    with database.reader() as connection:
        assert (forgetting.reached(connection), forgetting.last(connection)) == (1500, 1502)


def test_a_delivery_counts_on(database: Database) -> None:
    """A receiver that keeps the highest sequence would pass over what begins anew."""
    put(database, "a", "b", delivery=7)
    put(database, "c", delivery=8)
    forget(database, NOW + DAY)
    put(database, "d", delivery=7, at=NOW + 2 * DAY)
    put(database, "e", delivery=7, at=NOW + 3 * DAY)
    forget(database, NOW + 2 * DAY + timedelta(seconds=1))
    put(database, "f", delivery=7)
    put(database, "g", delivery=8)
    with database.reader() as connection:
        found = connection.execute(select(event.c.key, event.c.sequence).order_by(event.c.id)).all()
        counted = connection.execute(select(event_count).order_by(event_count.c.delivery_id)).all()
    assert [tuple(row) for row in found] == [("e", 4), ("f", 5), ("g", 2)]
    assert [tuple(row) for row in counted] == [(7, 3), (8, 1)]


def test_an_endpoint_that_is_made_when_all_is_forgotten_is_told_what_comes(database: Database) -> None:
    put(database, "a", "b")
    with database.writer() as connection:
        webhooks.add(connection, None, "https://hooks.example.com/", [], SECRET, NOW)
        webhook_queue.fan_out(connection, NOW)
    forget(database, NOW + DAY)
    with database.writer() as connection:
        made = webhooks.add(connection, None, "https://other.example.com/", [], SECRET, NOW)["id"]
        assert not webhook_queue.has_news(connection)
    put(database, "c")
    with database.writer() as connection:
        assert webhook_queue.has_news(connection)
        webhook_queue.fan_out(connection, NOW)
        assert [each["event"] for each in webhook_tries.dispatches(connection, None, made)] == ["evt_3"]


def test_what_was_queued_of_it_goes_along(database: Database) -> None:
    with database.writer() as connection:
        webhooks.add(connection, None, "https://hooks.example.com/", [], SECRET, NOW)
    put(database, "a")
    with database.writer() as connection:
        webhook_queue.fan_out(connection, NOW)
    forget(database, NOW + DAY)
    with database.reader() as connection:
        assert connection.execute(select(dispatch)).all() == []


def test_an_old_cursor_is_gone_and_one_that_came_in_time_is_not(api: Api) -> None:
    shop = api.client("shop", Scope.READ)

    def ask(cursor: str | None = None, **more: str) -> Any:
        return shop.get("/events", params=more | ({"cursor": cursor} if cursor else {}))

    with api.database.reader() as connection:
        last = forgetting.last(connection)
    first = ask(limit="1").json()
    assert first["more"]
    caught_up = ask().json()
    assert int(caught_up["cursor"]) == last > int(caught_up["items"][-1]["id"].removeprefix("evt_"))
    forget(api.database, datetime.now(UTC))
    late = ask(first["cursor"])
    assert (late.status_code, late.json()["code"]) == (410, "gone")
    assert f"up to {last}; ask without a cursor" in late.json()["detail"]
    assert ask("0").status_code == 410
    assert ask(caught_up["cursor"]).json() == {"items": [], "cursor": caught_up["cursor"], "more": False}
    assert ask().json() == {"items": [], "cursor": str(last), "more": False}
    assert ask("1", order="newest").json()["items"] == []
    with api.database.reader() as connection:
        found = accounts.find(connection, "shop")
    put(api.database, "new", at=datetime.now(UTC), account=found and found.id)
    assert [each["id"] for each in ask(caught_up["cursor"]).json()["items"]] == [f"evt_{last + 1}"]


def test_it_is_kept_while_it_is_tried(tmp_path: Path) -> None:
    (tmp_path / "bouncemx.toml").write_text("event_days = 2\n")
    with pytest.raises(UserError, match=r"event_days = 2: .* webhook_days = 3, give at least that"):
        load(tmp_path)
