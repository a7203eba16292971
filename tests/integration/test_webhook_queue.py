"""The queue: who is told what, what waits for what, and what becomes of it."""

from datetime import timedelta
from typing import Any

import pytest

from handlers.events import EventType
from server.webhooks import sender
from server.webhooks.patience import Patience
from server.webhooks.post import Answer
from storage import accounts, events, forgetting, webhook_queue, webhook_tries, webhooks
from storage.database import Database
from storage.webhook_queue import Busy, Due
from tests.integration.webhook_fixture import NOW, SECRET, event

HARD, SOFT, PENDING = EventType.BOUNCE_HARD, EventType.BOUNCE_SOFT, EventType.BOUNCE_PENDING
COMPLAINT, CLEARED = EventType.COMPLAINT, EventType.BOUNCE_CLEARED
PATIENCE = Patience(first=timedelta(seconds=10), failures=3, random=lambda: 0.5)
SECOND = timedelta(seconds=1)


class Queue:
    """One endpoint of account acme, and what it is told."""

    def __init__(self, database: Database) -> None:
        self.database, self.now = database, NOW
        with database.writer() as connection:
            self.acme = accounts.ensure(connection, "acme").id
            self.other = accounts.ensure(connection, "other").id
        self.webhook = self.add(self.acme)

    def add(self, account: int | None, *types: EventType) -> int:
        with self.database.writer() as connection:
            made = webhooks.add(connection, account, "https://hooks.example.com/", types, SECRET, self.now)
        return int(made["id"])

    def put(self, *new: tuple[EventType, int | None], account: int | None = -1) -> None:
        """Events of acme, and into the queue."""
        owner = self.acme if account == -1 else account
        with self.database.writer() as connection:
            first = forgetting.last(connection)
            events.put(
                connection,
                [event(f"k{first + n}", kind, delivery, owner) for n, (kind, delivery) in enumerate(new)],
            )
            while webhook_queue.fan_out(connection, self.now, 2):
                pass

    def due(self, webhook: int | None = None, busy: Busy = Busy(), free: int = 100) -> list[Due]:  # noqa: B008 - frozen
        with self.database.reader() as connection:
            return [
                due
                for endpoint in webhook_queue.ready(connection, self.now)
                if endpoint["id"] == (webhook or self.webhook)
                for due in webhook_queue.pick(connection, endpoint, self.now, free, busy)
            ]

    def answer(self, dues: list[Due], status: int | None, **more: Any) -> set[int]:
        answer = Answer(self.now, 0, status, None if status else "no answer", **more)
        with self.database.writer() as connection:
            return sender.store(connection, [(due, answer) for due in dues], PATIENCE)

    def shown(self) -> dict[str, Any]:
        with self.database.reader() as connection:
            found = webhooks.get(connection, None, self.webhook)
        assert found is not None
        return found

    def states(self) -> dict[str, str]:
        with self.database.reader() as connection:
            rows = webhook_tries.dispatches(connection, self.acme, self.webhook, limit=1000)
        return {row["event"]: row["state"] for row in reversed(rows)}


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


def names(dues: list[Due]) -> list[str]:
    return [due.name for due in dues]


class TestWhoIsToldWhat:
    def test_an_account_its_own_the_operator_everything(self, queue: Queue) -> None:
        operator = queue.add(None)
        queue.put((HARD, 1))
        queue.put((HARD, 2), account=queue.other)
        queue.put((EventType.INCIDENT_OPENED, None), account=None)
        assert names(queue.due()) == ["evt_1"]
        assert names(queue.due(operator)) == ["evt_1", "evt_2", "evt_3"]

    def test_only_the_types_that_it_wants(self, queue: Queue) -> None:
        some = queue.add(queue.acme, COMPLAINT, SOFT)
        queue.put((HARD, 1), (COMPLAINT, 2), (SOFT, 3))
        assert names(queue.due(some)) == ["evt_2", "evt_3"]

    def test_nothing_of_before_it_was_made(self, queue: Queue) -> None:
        queue.put((HARD, 1))
        late = queue.add(queue.acme)
        queue.put((HARD, 2))
        assert names(queue.due(late)) == ["evt_2"]

    def test_without_endpoints_nothing_is_written(self, database: Database) -> None:
        with database.writer() as connection:
            events.put(connection, [event("a")])
            assert not webhook_queue.has_news(connection)
            assert webhook_queue.fan_out(connection, NOW) == 0

    def test_what_is_read_once_is_queued_once(self, queue: Queue) -> None:
        queue.put((HARD, 1))
        queue.put()
        with queue.database.reader() as connection:
            assert not webhook_queue.has_news(connection)
        assert list(queue.states().values()) == ["queued"]

    def test_it_reads_the_event_whole(self, queue: Queue) -> None:
        queue.put((HARD, 7))
        assert queue.due()[0].content == {
            "id": "evt_1",
            "type": "bounce.hard",
            "timestamp": NOW.isoformat(),
            "account": "acme",
            "delivery": 7,
            "sequence": 1,
            "data": {"fact": "k0"},
            "superseded": [],
        }


class TestOrder:
    def test_an_event_waits_for_the_one_before_it_of_its_delivery(self, queue: Queue) -> None:
        queue.put((COMPLAINT, 1), (COMPLAINT, 2), (COMPLAINT, 1), (COMPLAINT, None), (COMPLAINT, None))
        assert names(queue.due()) == ["evt_1", "evt_2", "evt_4", "evt_5"]
        first, *_ = queue.due()
        queue.answer([first], 500)
        assert "evt_3" not in names(queue.due())
        queue.now += 11 * SECOND
        queue.answer([first], 200)
        assert names(queue.due()) == ["evt_2", "evt_3", "evt_4", "evt_5"]

    def test_what_is_under_way_is_not_picked_nor_what_follows_it(self, queue: Queue) -> None:
        queue.put((HARD, 1), (COMPLAINT, 2))
        first, second = queue.due()
        queue.put((SOFT, 1))  # supersedes the first, which is under way
        assert names(queue.due(busy=Busy([first.id], [1]))) == [second.name]

    def test_no_more_than_there_is_room_for(self, queue: Queue) -> None:
        queue.put(*[(COMPLAINT, n) for n in range(1, 9)])
        assert names(queue.due(free=3)) == ["evt_1", "evt_2", "evt_3"]


class TestSuperseding:
    def test_the_newest_state_names_those_that_it_replaces(self, queue: Queue) -> None:
        queue.put((PENDING, 1), (SOFT, 2))
        queue.put((SOFT, 1))
        queue.put((COMPLAINT, 1))
        queue.put((HARD, 1))
        assert queue.states() == {
            "evt_1": "superseded",
            "evt_2": "queued",
            "evt_3": "superseded",
            "evt_4": "queued",
            "evt_5": "queued",
        }
        assert names(queue.due()) == ["evt_2", "evt_4"]
        queue.answer(queue.due(), 200)
        (hard,) = queue.due()
        assert hard.content["superseded"] == [
            {"id": "evt_1", "type": "bounce.pending", "sequence": 1},
            {"id": "evt_3", "type": "bounce.soft", "sequence": 2},
        ]

    def test_what_was_taken_is_not_replaced(self, queue: Queue) -> None:
        queue.put((PENDING, 1))
        queue.answer(queue.due(), 200)
        queue.put((HARD, 1))
        (hard,) = queue.due()
        assert hard.content["superseded"] == []
        assert queue.states() == {"evt_1": "delivered", "evt_2": "queued"}

    def test_a_try_that_fails_behind_it_is_the_last(self, queue: Queue) -> None:
        queue.put((PENDING, 1))
        (pending,) = queue.due()
        queue.put((HARD, 1))
        queue.answer([pending], 500)
        assert queue.states()["evt_1"] == "superseded"
        assert names(queue.due()) == ["evt_2"]

    def test_within_one_batch_too(self, queue: Queue) -> None:
        queue.put((PENDING, 1), (CLEARED, 1))
        assert [(due.name, len(due.content["superseded"])) for due in queue.due()] == [("evt_2", 1)]

    def test_each_endpoint_for_itself(self, queue: Queue) -> None:
        second = queue.add(queue.acme, PENDING)
        queue.put((PENDING, 1), (HARD, 1))
        assert names(queue.due(second)) == ["evt_1"]
        assert names(queue.due()) == ["evt_2"]


class TestTries:
    def test_a_failure_is_tried_again_later_under_the_same_name(self, queue: Queue) -> None:
        queue.put((HARD, 1))
        queue.answer(queue.due(), 500)
        assert queue.due() == []
        queue.now += 9 * SECOND
        assert queue.due() == []
        queue.now += 1 * SECOND
        (again,) = queue.due()
        assert (again.name, again.tries) == ("evt_1", 1)

    def test_retry_after_is_heard(self, queue: Queue) -> None:
        queue.put((HARD, 1))
        queue.answer(queue.due(), 429, retry_after=60 * SECOND)
        queue.now += 59 * SECOND
        assert queue.due() == []
        queue.now += SECOND
        assert len(queue.due()) == 1

    def test_a_pause_begins_when_the_try_has_ended(self, queue: Queue) -> None:
        queue.put((HARD, 1))
        slow = Answer(queue.now, 15_000, None, "no answer")
        with queue.database.writer() as connection:
            sender.store(connection, [(due, slow) for due in queue.due()], PATIENCE)
        queue.now += 24 * SECOND
        assert queue.due() == []
        queue.now += SECOND
        assert len(queue.due()) == 1

    def test_after_days_it_is_a_dead_letter(self, queue: Queue) -> None:
        queue.put((HARD, 1), (COMPLAINT, 1))
        queue.now += PATIENCE.lifetime
        queue.answer(queue.due(), 500)
        assert queue.states() == {"evt_1": "dead", "evt_2": "queued"}
        assert names(queue.due()) == ["evt_2"]

    def test_the_history_shows_each(self, queue: Queue) -> None:
        queue.put((HARD, 1))
        queue.answer(queue.due(), None)
        queue.now += 11 * SECOND
        queue.answer(queue.due(), 200, excerpt="thanks \x00")
        with queue.database.reader() as connection:
            rows = webhook_tries.history(connection, queue.acme, queue.webhook)
            assert [(row["status"], row["error"], row["excerpt"], row["event"]) for row in rows] == [
                (200, None, "thanks \ufffd", "evt_1"),
                (None, "no answer", None, "evt_1"),
            ]
            older = webhook_tries.history(connection, queue.acme, queue.webhook, before=rows[0]["id"])
            assert older == rows[1:]
            assert webhook_tries.history(connection, queue.other, queue.webhook) == []
            assert webhook_tries.dispatches(connection, queue.other, queue.webhook) == []

    def test_what_was_removed_meanwhile_leaves_no_trace(self, queue: Queue) -> None:
        queue.put((HARD, 1))
        dues = queue.due()
        with queue.database.writer() as connection:
            assert webhooks.remove(connection, queue.acme, queue.webhook)
        assert queue.answer(dues, 500) == {queue.webhook}

    def test_the_history_is_forgotten_after_a_time(self, queue: Queue) -> None:
        queue.put((HARD, 1), (HARD, 2))
        first, _ = queue.due()
        queue.answer([first], 200)
        with queue.database.writer() as connection:
            assert webhook_tries.purge(connection, queue.now) == 0
            assert webhook_tries.purge(connection, queue.now + SECOND) == 1
        assert queue.states() == {"evt_2": "queued"}


class TestBreaker:
    def broken(self, queue: Queue) -> None:
        queue.put(*[(COMPLAINT, n) for n in range(1, 6)])
        dues = queue.due()
        assert queue.answer(dues[:2], 500) == set()
        assert queue.answer(dues[2:3], 503) == {queue.webhook}

    def test_it_opens_and_lets_one_probe_through(self, queue: Queue) -> None:
        self.broken(queue)
        assert (queue.shown()["state"], queue.shown()["why"]) == ("broken", "HTTP 503")
        assert queue.due() == []
        queue.now += 10 * SECOND
        assert len(queue.due()) == 1
        queue.answer(queue.due(), 500)
        queue.now += 19 * SECOND
        assert queue.due() == []

    def test_a_probe_that_is_taken_brings_all_at_once(self, queue: Queue) -> None:
        self.broken(queue)
        queue.now += 10 * SECOND
        queue.answer(queue.due(), 200)
        assert queue.shown()["state"] == "enabled"
        assert len(queue.due()) == 4

    def test_days_of_it_make_dead_letters(self, queue: Queue) -> None:
        self.broken(queue)
        queue.now += PATIENCE.lifetime + SECOND
        queue.put((HARD, 9))
        queue.answer(queue.due(), 500)
        assert sorted(queue.states().values()) == ["dead"] * 5 + ["queued"]
        assert queue.states()["evt_6"] == "queued"

    def test_gone_disables(self, queue: Queue) -> None:
        queue.put((HARD, 1), (HARD, 2))
        first, _ = queue.due()
        assert queue.answer([first], 410) == {queue.webhook}
        assert (queue.shown()["state"], queue.shown()["why"]) == ("disabled", "HTTP 410")
        queue.now += 100 * SECOND
        assert queue.due() == []
        queue.put((HARD, 3))
        assert "evt_3" not in queue.states()

    def test_enabled_again_it_goes_on(self, queue: Queue) -> None:
        self.broken(queue)
        with queue.database.writer() as connection:
            assert webhooks.enable(connection, queue.acme, queue.webhook)
        assert queue.shown()["state"] == "enabled"
        assert names(queue.due()) == ["evt_4", "evt_5"]
        assert queue.shown()["failures"] == 0
