"""The types of what is told of addresses: their suppressions, incidents, erasure, and how they stand (records.py)."""

from typing import Any

from typing_extensions import TypedDict


class Suppression(TypedDict):
    """An address not to mail again; `account` null means everyone, `capture` null that no single one is the cause.

    Of what holds for everyone an account is told no category, reason and source.
    """

    address: str
    account: str | None
    type: str
    category: str | None
    reason: str | None
    since: str
    capture: int | None
    state: str
    source: str | None
    expires_at: str | None
    incident: int | None
    held_until: str | None


class Standing(TypedDict):
    """What stands against an address: of the account, or of everyone, which says no reason of the account."""

    eligible: bool
    state: str
    type: str
    category: str | None
    reason: str | None
    since: str
    expires_at: str | None
    held_until: str | None
    globally_ineligible: bool


class Checked(TypedDict):
    """An address that was asked about; one that is held or has expired is not suppressed."""

    address: str
    suppressed: bool
    suppression: Standing | None


class Meaning(TypedDict):
    """What it means, and what to do about it."""

    means: str
    do: str


class Contact(TypedDict):
    """All that an account knows of an address.

    `last_hard_bounce_reason` is of the account's own bounces: one that is only globally ineligible has none.
    """

    address: str
    account: str
    eligible: bool
    last_hard_bounce_reason: str | None
    suppression: Standing | None
    timeline: list[dict[str, Any]]
    advice: Meaning | None


class Added(TypedDict):
    """How many addresses are suppressed that were not."""

    added: int


class SuppressionChange(TypedDict):
    """What became of a suppression: added, lifted, expired, held or released; account null means everyone's."""

    id: int
    address: str
    account: str | None
    change: str
    at: str
    category: str | None
    reason: str | None
    incident: int | None
    who: str | None
    why: str | None


class Lifted(TypedDict):
    """The addresses that were suppressed and are no more, in lower case."""

    addresses: list[str]


class Certificate(TypedDict):
    """What was removed of an address, when, by whom and why; `account` null means everywhere."""

    address_hash: str
    account: str | None
    at: str
    who: str
    why: str
    removed: dict[str, int]
    suppressions_kept_as_hash: int
    still_in_journal: list[int]


class Incident(TypedDict):
    """A wave of refusals that speak of the sender; `held` suppressions wait for a word on it."""

    id: int
    account: str
    provider: str
    reason: str
    state: str
    began_at: str
    opened_at: str
    last_at: str
    closed_at: str | None
    refusals: int
    held: int
    decision: str | None
    decided_at: str | None
    who: str | None
    why: str | None
