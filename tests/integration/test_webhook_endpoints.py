"""Endpoints: each account sees its own, secrets change without a gap, and what was given up comes again."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy

from handlers.events import EventType
from server.webhooks import sender
from server.webhooks.patience import Patience
from server.webhooks.post import Answer
from storage import accounts, events, webhook_queue, webhook_tries, webhooks
from storage.database import Database
from storage.webhook_queue import Busy, Due
from tests.integration.webhook_fixture import NOW, SECRET, event

HOUR = timedelta(hours=1)
URL = "https://hooks.example.com/"


class Place:
    """Two accounts; `webhook` is of the first."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writer() as connection:
            self.acme, self.other = (accounts.ensure(connection, name).id for name in ("acme", "other"))
            self.webhook = int(webhooks.add(connection, self.acme, URL, [EventType.COMPLAINT], SECRET, NOW)["id"])

    def tell(self, *keys: str, kind: EventType = EventType.COMPLAINT) -> None:
        with self.database.writer() as connection:
            events.put(connection, [event(key, kind, None, self.acme) for key in keys])
            webhook_queue.fan_out(connection, NOW)

    def due(self) -> list[Due]:
        with self.database.reader() as connection:
            found = webhook_queue.ready(connection, NOW)
            return [due for each in found for due in webhook_queue.pick(connection, each, NOW, 100, Busy())]

    def end(self, status: int) -> None:
        """Answer everything, long after it was queued."""
        answer = Answer(NOW + timedelta(days=9), 5, status)
        with self.database.writer() as connection:
            sender.store(connection, [(due, answer) for due in self.due()], Patience())

    def redeliver(self, account: int | None = None, **which: Any) -> int:
        with self.database.writer() as connection:
            return webhook_tries.redeliver(connection, account or self.acme, self.webhook, NOW, **which)


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


def test_it_is_shown_without_its_secret(place: Place) -> None:
    with place.database.reader() as connection:
        (shown,) = webhooks.listing(connection, place.acme)
        assert webhooks.get(connection, place.acme, place.webhook) == shown
    assert shown == {
        "id": place.webhook,
        "account": "acme",
        "url": URL,
        "events": ["complaint"],
        "state": "enabled",
        "why": None,
        "failures": 0,
        "probe_at": None,
        "queued": 0,
        "delivered": 0,
        "dead": 0,
        "created_at": NOW.isoformat(),
    }


def test_no_other_account_sees_or_changes_it(place: Place) -> None:
    place.tell("a")
    place.end(500)
    with place.database.writer() as connection:
        assert webhooks.listing(connection, place.other) == []
        assert webhooks.get(connection, place.other, place.webhook) is None
        assert webhooks.secrets(connection, place.other, place.webhook, NOW) == []
        assert not webhooks.change(connection, place.other, place.webhook, url="https://evil.example/")
        assert not webhooks.change(connection, place.other, place.webhook)
        assert not webhooks.enable(connection, place.other, place.webhook)
        assert not webhooks.disable(connection, place.other, place.webhook, "evil")
        assert not webhooks.rotate(connection, place.other, place.webhook, "whsec_evil", NOW)
        assert not webhooks.remove(connection, place.other, place.webhook)
        assert [each["id"] for each in webhooks.listing(connection)] == [place.webhook]
        assert webhooks.secrets(connection, place.acme, place.webhook, NOW) == [SECRET]
    assert place.redeliver(place.other) == 0
    assert place.redeliver() == 1


def test_it_may_be_changed(place: Place) -> None:
    with place.database.writer() as connection:
        assert webhooks.change(connection, place.acme, place.webhook, url="https://new.example/", types=[])
        shown = webhooks.get(connection, place.acme, place.webhook)
        assert webhooks.change(connection, place.acme, place.webhook)
    assert shown is not None
    assert (shown["url"], shown["events"]) == ("https://new.example/", [str(each) for each in EventType])


def test_an_account_has_only_so_many(place: Place) -> None:
    with place.database.writer() as connection:
        for _ in range(webhooks.MOST - 1):
            webhooks.add(connection, place.acme, URL, [], SECRET, NOW)
        with pytest.raises(webhooks.TooMany, match="at most 20"):
            webhooks.add(connection, place.acme, URL, [], SECRET, NOW)
        webhooks.add(connection, place.other, URL, [], SECRET, NOW)
        webhooks.add(connection, None, URL, [], SECRET, NOW)


def test_many_are_listed_by_few_statements(place: Place) -> None:
    with place.database.writer() as connection:
        for _ in range(5):
            webhooks.add(connection, place.acme, URL, [], SECRET, NOW)
        statements = []
        sqlalchemy.event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2]))
        assert len(webhooks.listing(connection)) == 6
    assert len(statements) == 2


def test_an_old_secret_signs_along_until_it_ends(place: Place) -> None:
    with place.database.writer() as connection:
        assert webhooks.rotate(connection, place.acme, place.webhook, "whsec_Mg==", NOW, HOUR)

        def secrets(after: timedelta) -> list[str]:
            return webhooks.secrets(connection, place.acme, place.webhook, NOW + after)

        assert secrets(HOUR - timedelta(seconds=1)) == ["whsec_Mg==", SECRET]
        assert secrets(HOUR) == ["whsec_Mg=="]
        assert webhooks.rotate(connection, place.acme, place.webhook, "whsec_Mw==", NOW, HOUR)
        assert secrets(timedelta()) == ["whsec_Mw==", "whsec_Mg=="]
    place.tell("a")
    assert place.due()[0].secrets == ("whsec_Mw==", "whsec_Mg==")


def test_removing_takes_its_queue_and_history_along(place: Place) -> None:
    place.tell("a", "b")
    place.end(200)
    with place.database.writer() as connection:
        assert webhooks.remove(connection, place.acme, place.webhook)
        assert not webhooks.remove(connection, place.acme, place.webhook)
        assert webhook_tries.history(connection, None, place.webhook) == []
        assert webhook_tries.dispatches(connection, None, place.webhook) == []


class TestRedelivery:
    def test_the_dead_letters_come_again(self, place: Place) -> None:
        place.tell("a", "b")
        place.end(500)
        place.tell("c")
        place.end(200)
        assert place.due() == []
        assert place.redeliver() == 2
        assert [(due.name, due.tries) for due in place.due()] == [("evt_1", 0), ("evt_2", 0)]

    def test_those_that_are_named_whatever_became_of_them(self, place: Place) -> None:
        place.tell("a", "b", "c")
        place.end(200)
        assert place.redeliver(event_ids=[2, 3, 99]) == 2
        assert [due.name for due in place.due()] == ["evt_2", "evt_3"]
        assert place.redeliver(event_ids=[2]) == 0  # it is queued already

    def test_what_it_missed_while_it_was_disabled(self, place: Place) -> None:
        with place.database.writer() as connection:
            webhooks.disable(connection, place.acme, place.webhook, "by command")
        place.tell("a")
        place.tell("not wanted", kind=EventType.AUTO_REPLY)
        with place.database.writer() as connection:
            events.put(connection, [event("of another", EventType.COMPLAINT, None, place.other)])
            webhooks.enable(connection, place.acme, place.webhook)
            webhook_queue.fan_out(connection, NOW)
        assert place.due() == []
        assert place.redeliver(since=NOW + HOUR) == 0
        assert place.redeliver(since=NOW) == 1
        assert [due.name for due in place.due()] == ["evt_1"]
        assert place.redeliver(since=NOW) == 0


def test_an_erased_event_is_sent_no_more(place: Place) -> None:
    from sqlalchemy import delete

    from storage.tables import event as table

    place.tell("a", "b")
    place.end(500)
    with place.database.writer() as connection:
        connection.execute(delete(table).where(table.c.key == "a"))
        assert [row["event"] for row in webhook_tries.history(connection, None, place.webhook)] == ["evt_2"]
    assert place.redeliver() == 1
