"""What each event means, with an example: data for the docs and for `bouncemx webhooks test`."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from handlers.events import EventType


@dataclass(frozen=True, slots=True)
class Example:
    """One event."""

    means: str
    data: dict[str, Any]


@cache
def examples() -> dict[EventType, Example]:
    """All of them, in the order of the table."""
    text = (files("server.webhooks") / "examples.json").read_text("utf-8")
    return {EventType(name): Example(**entry) for name, entry in json.loads(text).items()}


def content(kind: EventType, account: str | None, at: datetime) -> dict[str, Any]:
    """What an endpoint reads when it is tested: an event that never was, under an id of its own."""
    return {
        "id": f"test_{secrets.token_hex(8)}",
        "type": str(kind),
        "timestamp": at.isoformat(),
        "account": account,
        "delivery": None,
        "sequence": None,
        "data": examples()[kind].data,
        "superseded": [],
    }
