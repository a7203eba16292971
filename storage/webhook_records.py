"""The types of what is told of events and of the endpoints that they go to, as records.py."""

from typing import Any

from typing_extensions import TypedDict  # pydantic reads the one of `typing` only from Python 3.12 on


class Event(TypedDict):
    """A fact that a sender is told; `sequence` counts those of one delivery."""

    id: str
    type: str
    timestamp: str
    account: str | None
    delivery: int | None
    sequence: int | None
    data: dict[str, Any]


class Webhook(TypedDict):
    """An endpoint that is told what happens; account null means the operator, who is told everything."""

    id: int
    account: str | None
    url: str
    events: list[str]
    state: str
    why: str | None
    failures: int
    probe_at: str | None
    queued: int
    delivered: int
    dead: int
    created_at: str


class NewWebhook(Webhook):
    """An endpoint with its secret, which is told this once."""

    secret: str


class Secret(TypedDict):
    """A new secret, which is told this once."""

    secret: str


class Try(TypedDict):
    """One try to deliver an event; `state` is that of the event by now."""

    id: int
    at: str
    event: str
    type: str
    delivery: int | None
    sequence: int | None
    state: str
    status: int | None
    milliseconds: int
    error: str | None
    excerpt: str | None


class Dispatch(TypedDict):
    """An event for an endpoint, and what became of it."""

    id: int
    event: str
    type: str
    delivery: int | None
    sequence: int | None
    state: str
    tries: int
    due_at: str | None
    queued_at: str
    finished_at: str | None
    superseded_by: str | None
    why: str | None


class Queued(TypedDict):
    """How many events are sent again."""

    queued: int
