"""The types of what shapes.py makes: what the API answers, and what its client gives back.

Those of suppressions and what comes of them are in suppression_records.py.

Times are ISO 8601 in UTC. What kind, type, category, reason and the like may be stands in docs/words.md.
"""

from typing import Any, Generic, TypeVar

from typing_extensions import TypedDict  # pydantic reads the one of `typing` only from Python 3.12 on

Item = TypeVar("Item")


class Items(TypedDict, Generic[Item]):
    """A page of a list: `cursor` leads to the next one, and `more` says whether there is one now."""

    items: list[Item]
    cursor: str | None
    more: bool


class Answer(TypedDict, Generic[Item]):
    """All that was asked for."""

    items: list[Item]


class Account(TypedDict):
    """A tenant; without an owner it is an owner of its own."""

    id: int
    name: str
    owner: str | None
    created_at: str


class ApiKey(TypedDict):
    """What a program calls the API with; `account` null means an operator's."""

    id: int
    account: str | None
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class NewApiKey(ApiKey):
    """A key with its text, which is told this once."""

    key: str


class Message(TypedDict):
    """A message that an account sent, and to how many."""

    id: int
    account: str
    message_id: str
    envelope_id: str | None
    subject: str | None
    campaign: str | None
    kind: str
    sent_at: str | None
    created_at: str
    deliveries: int


class ResendContact(TypedDict):
    """A recipient whose bounce was soft, and who may still be mailed."""

    address: str
    message_id: str
    category: str | None
    reason: str | None
    resolution: str | None
    since: str


class Registered(TypedDict):
    """One recipient of a registered message: send to it with `return_path` as the envelope sender."""

    return_path: str | None
    recipient: str
    message_id: str
    envelope_id: str | None
    account: str
    delivery: int


class Delivery(TypedDict):
    """One recipient of one message; `message` is the id of the message. Of one in state `sent` nothing was heard."""

    id: int
    account: str
    message: int
    message_id: str
    campaign: str | None
    kind: str
    recipient: str
    return_path: str | None
    state: str
    resolution: str | None
    type: str | None
    category: str | None
    reason: str | None
    since: str | None
    pending_since: str | None
    delivered_at: str | None
    capture: int | None


# `from` is no name in Python
Revision = TypedDict(
    "Revision",
    {
        "from": str,
        "to": str,
        "resolution": str | None,
        "type": str | None,
        "category": str | None,
        "reason": str | None,
        "cause": str,
        "capture": int | None,
        "at": str,
    },
)


class DeliveryWithRevisions(Delivery):
    """A delivery with every change of its state."""

    revisions: list[Revision]


class Original(TypedDict):
    """The message that something is about, and the recipient that it was sent to."""

    message_id: str
    envelope_id: str | None
    subject: str | None
    campaign: str | None
    kind: str
    account: str
    recipient: str
    token: str | None
    delivery: int
    state: str
    resolution: str | None
    return_path: str | None


class Envelope(TypedDict):
    """How a capture came in (RFC 5321)."""

    reverse_path: str
    forward_paths: list[str]
    helo: str
    client: str
    protocol: str
    tls: str | None


class Recipient(TypedDict):
    """What a capture says of one recipient, and the verdict on it: null where it did not bounce."""

    address: str | None
    original_recipient: str | None
    final_recipient: str | None
    action: str | None
    status: str | None
    smtp_code: int | None
    diagnostic: str | None
    remote_mta: str | None
    reason: str | None
    category: str | None
    type: str | None
    rule: str | None
    span: str | None


class Capture(TypedDict):
    """One mail that was received on a return path or a watched address, with what was found out about it."""

    id: int
    received_at: str
    envelope: Envelope
    subject: str
    message_id: str | None
    kind: str
    detectability: str
    notice_form: str | None
    undetectable_reason: str | None
    gateway: str | None
    language: str | None
    receiving_domain: str | None
    hints: dict[str, Any] | None
    links: list[dict[str, Any]]
    linked_by_hand: dict[str, Any] | None
    reporting_mta: str | None
    report: dict[str, Any]
    recipients: list[Recipient]
    account: str | None
    message: Original | None
    authentication: dict[str, Any]
    trust: str | None
    trust_reasons: list[str]
    faults: list[str]
    held: str | None
    size: int


class Bounce(TypedDict):
    """The verdict on one delivery, drawn from a capture."""

    id: int
    capture: int
    address: str
    account: str
    token: str | None
    message: Original | None
    type: str
    category: str
    reason: str
    rule: str
    status: str | None
    smtp_code: int | None
    diagnostic: str | None
    action: str | None
    proven: bool
    span: str
    guess: bool
    confidence: float
    created_at: str


class Advice(TypedDict):
    """What a bounce of this category (or of type pending or global) means, and what to do about it."""

    name: str
    language: str
    means: str
    do: str


class BlindSpot(TypedDict):
    """How many notices of a gateway or a receiving domain nobody can tie; `name` null: none was recognised."""

    by: str
    name: str | None
    bounces: int
    matched: int
    unmatched: int
    undetectable: int
    linked_by_hand: int
    reasons: dict[str, int]
    languages: dict[str, int]


class Count(TypedDict):
    """How often a value came."""

    value: str
    number: int


class Statistics(TypedDict):
    """What came in since `since`; at most the newest `counted_at_most` of each are counted."""

    since: str
    counted_at_most: int
    kinds: list[Count]
    detectabilities: list[Count]
    types: list[Count]
    categories: list[Count]
    reasons: list[Count]
