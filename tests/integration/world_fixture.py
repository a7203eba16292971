"""Accounts that mailed addresses, and what bounced of it: what storage makes of that."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from handlers.effects import Policy
from handlers.outcome import Bounce, Outcome
from handlers.words import Category, NoticeForm, Reason
from storage import accounts, changes, events, incidents, messages, suppressions, tables
from storage.checking import check
from storage.database import Database
from storage.store import store
from storage.sweep import sweep

NOW = datetime(2026, 5, 6, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
POLICY = Policy(incident_addresses=3)
Make = Callable[..., Outcome]


@dataclass
class World:
    """Accounts that mailed addresses, and what bounced of it."""

    database: Database
    make: Make
    policy: Policy = POLICY
    position: int = 0
    numbers: Any = field(default_factory=itertools.count)

    def bounce(
        self,
        address: str,
        account: str = "acme",
        at: datetime = NOW,
        reason: Reason = Reason.USER_UNKNOWN,
        category: Category = Category.UNKNOWN_USER,
        *,
        proven: bool = True,
        form: NoticeForm = NoticeForm.DSN,
    ) -> Outcome:
        """The report of a message of its own."""
        self.position += 10
        token = f"b-{next(self.numbers)}"
        with self.database.writer() as connection:
            accounts.ensure(connection, account)
            connection.execute(update(tables.account).values(created_at=NOW - 100 * DAY))
            made = messages.register(connection, account, [(address, token)], message_id=f"<{token}@s.example>")
        outcome = self.make(self.position, made[0])
        told = outcome.bounces[0]
        status = replace(told.recipient, final_recipient=address)
        verdict = replace(told.verdict, reason=reason, category=category)
        bounced = Bounce(address, told.account, told.delivery, token, status, verdict, proven)
        suppressed = tuple(replace(each, reason=reason, category=category) for each in outcome.suppressions)
        mail = replace(outcome.mail, envelope=replace(outcome.mail.envelope, received_at=at))
        suppressed = suppressed if proven else ()
        return replace(outcome, mail=mail, bounces=(bounced,), suppressions=suppressed, notice_form=form)

    def store(self, *outcomes: Outcome, now: datetime | None = None) -> None:
        with self.database.writer() as connection:
            store(connection, outcomes, "worker", self.position, self.policy)

    def take(self, address: str, *how: Any, **more: Any) -> Outcome:
        made = self.bounce(address, *how, **more)
        self.store(made)
        return made

    def suppressed(self) -> dict[tuple[str, str | None], tuple[str, str]]:
        with self.database.reader() as connection:
            found = [
                each for each in suppressions.listing(connection, state=None, now=NOW) if each["state"] != "lifted"
            ]
            return {(each["address"], each["account"]): (each["reason"], each["state"]) for each in found}

    def log(self) -> list[tuple[str, str]]:
        with self.database.reader() as connection:
            return [(each["address"], each["change"]) for each in changes.after(connection, None, 0, 1000).changes]

    def told(self) -> list[str]:
        with self.database.reader() as connection:
            found = [each["type"] for each in events.after(connection, None, 0, 1000).events]
        return [each for each in found if each not in ("bounce.hard", "bounce.soft")]

    def eligible(self, address: str, account: str) -> bool:
        with self.database.writer() as connection:
            found = check(connection, accounts.ensure(connection, account).id, [address], NOW).get(address)
        return found is None or found.eligible

    def blocked(self, *names: str, at: datetime = NOW, **how: Any) -> None:
        """Called spam at one provider."""
        for name in names:
            self.take(f"{name}@gmail.com", "acme", at, Reason.SPAM_CONTENT, Category.SPAM, **how)

    def wait(self, until: datetime) -> None:
        with self.database.writer() as connection:
            while sweep(connection, self.policy, until):
                pass

    def incidents(self) -> list[dict[str, Any]]:
        with self.database.reader() as connection:
            return list(incidents.listing(connection))


@pytest.fixture
def world(database: Database, outcome_of: Make) -> World:
    return World(database, outcome_of)


SIX = [
    (Reason.USER_UNKNOWN, Category.UNKNOWN_USER),
    (Reason.MAILBOX_FULL, Category.MAILBOX_FULL),
    (Reason.CONTENT_REJECTED, Category.CONTENT),
    (Reason.SPAM_CONTENT, Category.SPAM),
    (Reason.POLICY_REJECTED, Category.POLICY),
    (Reason.RELAY_DENIED, Category.OTHER),
]
