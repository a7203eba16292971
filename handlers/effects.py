"""What follows from proven hard bounces: how a suppression stands, for how long, and when it holds for everyone.

Values in, values out. A suppression is the strongest of what suppressed the address since a person lifted it last:
whatever order the reports come in, and however often, it comes to the same.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from handlers import causes
from handlers.words import BounceType, Category, NoticeForm, Reason

PERMANENT_CAUSES = frozenset({Category.UNKNOWN_USER, Category.MAILBOX_FULL})  # of a global bounce (docs/words.md)


class State(StrEnum):
    """How a suppression stands."""

    ACTIVE = "active"  # the address must not be mailed
    HELD = "held"  # it waits: to be known for no wave, or for a person's word on the incident that caused it
    LIFTED = "lifted"  # a person took it back; what was received before counts no more
    EXPIRED = "expired"  # its time is over


class Source(StrEnum):
    """Who said it."""

    BOUNCE = "bounce"
    PERSON = "person"
    IMPORT = "import"
    ACCOUNTS = "accounts"  # it bounced in several of them


SAID = frozenset({Source.PERSON, Source.IMPORT})  # no bounce touches these while they stand


@dataclass(frozen=True, slots=True)
class Standing:
    """A suppression as it stands, or as one bounce would have it."""

    category: Category
    reason: Reason
    since: datetime
    expires_at: datetime | None = None  # None: never
    capture: int | None = None
    state: State = State.ACTIVE
    source: Source = Source.BOUNCE
    type: BounceType = BounceType.HARD
    incident: int | None = None
    lifted_at: datetime | None = None  # the last time that a person lifted it, whatever came since
    held_until: datetime | None = None  # the first time at which something said of it waits no more


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide about effects."""

    suppression_days: Mapping[Reason, int | None] = field(default_factory=causes.default_days)
    global_accounts: int = 3
    global_window: timedelta = timedelta(days=60)
    global_account_age: timedelta = timedelta(days=7)
    incident_addresses: int = 20
    incident_window: timedelta = timedelta(hours=1)
    incident_quiet: timedelta = timedelta(hours=6)

    def expires(self, reason: Reason, since: datetime) -> datetime | None:
        """When a suppression for this reason is over; None: never."""
        days = self.suppression_days.get(reason)
        return since + timedelta(days=days) if days else None

    def suppression(
        self, category: Category, reason: Reason, since: datetime, form: NoticeForm | None, capture: int
    ) -> Standing:
        """What one proven hard bounce suppresses.

        What a server says of the address counts at once. What it says of the mail or of the sender waits until the
        window has passed: one of many that are refused says nothing of the address.
        """
        made = Standing(category, reason, since, self.expires(reason, since), capture)
        if speaks_of_address(category, form):
            return made
        return replace(made, state=State.HELD, held_until=since + self.incident_window)


def speaks_of_address(category: Category, form: NoticeForm | None) -> bool:
    """Whether it says that the address is dead; a mailbox is full where a report with a status (RFC 3464) says so."""
    return category is Category.UNKNOWN_USER or (category is Category.MAILBOX_FULL and form is NoticeForm.DSN)


def strongest(standing: Standing | None, new: Standing) -> Standing | None:
    """What stands after a bounce that would suppress as `new`; None where nothing changes.

    One that holds beats one that is held, the longer one the shorter, the earlier one the later. What was received
    before a person lifted it is over, and what a person said no bounce touches. The loser is looked at again when it
    waits no more (storage/holding.py).
    """
    if standing is None:
        return new
    if standing.lifted_at and new.since <= standing.lifted_at:
        return None
    if standing.state is State.ACTIVE and standing.source in SAID:
        return None
    if standing.state is State.LIFTED:
        return replace(new, lifted_at=standing.lifted_at)
    best = new if _beats(new, standing) else standing
    until = min(filter(None, (standing.held_until, new.held_until)), default=None)
    found = replace(best, lifted_at=standing.lifted_at, held_until=until)
    return None if found == standing else found


def said(standing: Standing | None, new: Standing) -> Standing | None:
    """What stands after a person, or an import, suppressed as `new`; None where that was said already.

    Where the address is suppressed it stays so for its own reason, from now on because of a person: for good.
    """
    if standing is None or standing.state is not State.ACTIVE:
        return replace(new, lifted_at=standing.lifted_at if standing else None)
    if standing.source in SAID:
        return None
    return replace(standing, source=new.source, expires_at=None, held_until=None)


def _beats(new: Standing, standing: Standing) -> bool:
    """One whose time is over holds no more than one that is held."""
    if standing.state is State.EXPIRED and new.state is State.HELD:
        return _lasts(new) > _lasts(standing)
    return _rank(new) < _rank(standing)


def _rank(each: Standing) -> tuple[bool, float, datetime, int]:
    """The smallest is the strongest."""
    return each.state is State.HELD, -_lasts(each), each.since, each.capture or 0


def _lasts(each: Standing) -> float:
    return each.expires_at.timestamp() if each.expires_at else float("inf")


@dataclass(frozen=True, slots=True)
class Report:
    """That an address bounced hard for a permanent cause, proven, in an account."""

    at: datetime
    owner: str  # of the account
    account_since: datetime


def everywhere(reports: Iterable[Report], policy: Policy, now: datetime, lifted_at: datetime | None) -> datetime | None:
    """When the address had bounced for enough distinct owners within the window; None where it did not.

    Accounts that are too young now do not count (they come of age), nor what was received before a person lifted it.
    """
    counted = sorted(
        (each.at, each.owner)
        for each in reports
        if now - each.account_since >= policy.global_account_age and not (lifted_at and each.at <= lifted_at)
    )
    within: Counter[str] = Counter()
    first = 0
    for at, owner in counted:
        within[owner] += 1
        while at - counted[first][0] > policy.global_window:
            within[counted[first][1]] -= 1
            first += 1
        if sum(number > 0 for number in within.values()) >= policy.global_accounts:
            return at
    return None
