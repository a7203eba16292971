"""A folder with a webhook that was told something."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from handlers.events import Event, EventType
from server.webhooks import sender
from server.webhooks.patience import Patience
from server.webhooks.post import Answer
from storage import events, webhook_queue, webhooks
from storage.database import Database, locate, migrate
from storage.webhook_queue import Busy

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECRET = "whsec_" + "QUFB" * 8


def event(
    key: str, kind: EventType = EventType.COMPLAINT, delivery: int | None = None, account: int | None = None
) -> Event:
    return Event(kind, key, account, delivery, {"fact": key}, NOW)


def told_once(folder: Path) -> int:
    """The id of a webhook that answered 500 once; its address is for documentation, so nothing is ever sent to it."""
    url = locate(None, folder)
    migrate(url)  # it may be there already
    with Database(url) as database, database.writer() as connection:
        made = webhooks.add(connection, None, "https://192.0.2.1/", [], SECRET, NOW)
        events.put(connection, [event(f"told {made['id']}")])
        webhook_queue.fan_out(connection, NOW)
        for endpoint in webhook_queue.ready(connection, NOW):
            due = webhook_queue.pick(connection, endpoint, NOW, 1, Busy())
            answer = Answer(NOW + timedelta(seconds=1), 12, 500, None, "oh no")
            sender.store(connection, [(each, answer) for each in due], Patience())
    return int(made["id"])
