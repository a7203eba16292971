"""A suppression is there once, holds for whom it should, and can be taken back."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.message import Account
from handlers.outcome import Suppression
from handlers.words import BounceType, Category, Reason
from storage import accounts, suppressions
from storage.database import Database

SINCE = datetime(2026, 5, 6, tzinfo=UTC)


def suppression(address: str, account: Account | None, reason: Reason = Reason.USER_UNKNOWN) -> Suppression:
    return Suppression(address, account, BounceType.HARD, Category.UNKNOWN_USER, reason)


@pytest.fixture
def acme(database: Database) -> Account:
    with database.writer() as connection:
        accounts.ensure(connection, "other")
        return accounts.ensure(connection, "acme")


def shown(database: Database, account: str | None = None) -> list[tuple[str, str | None, str]]:
    with database.reader() as connection:
        return [(e["address"], e["account"], e["reason"]) for e in suppressions.listing(connection, account)]


@pytest.mark.parametrize("owned", [True, False], ids=["an account's", "everyone's"])
def test_the_first_one_wins(database: Database, acme: Account, owned: bool) -> None:
    account = acme if owned else None
    later = SINCE + timedelta(days=1)
    with database.writer() as connection:
        assert suppressions.add(connection, suppression("Ann@X.example", account), SINCE, capture=3)
    with database.writer() as connection:
        assert not suppressions.add(connection, suppression("ann@x.example", account, Reason.SUPPRESSED), later)
    with database.reader() as connection:
        assert list(suppressions.listing(connection)) == [
            {
                "address": "ann@x.example",
                "account": account and "acme",
                "type": "hard",
                "category": "unknown_user",
                "reason": "user_unknown",
                "since": "2026-05-06T00:00:00+00:00",
                "capture": 3,
            }
        ]


def test_everyones_stands_beside_an_accounts(database: Database, acme: Account) -> None:
    with database.writer() as connection:
        other = accounts.ensure(connection, "other")
        for account in (acme, None, other):
            assert suppressions.add(connection, suppression("ann@x.example", account), SINCE)
    assert [account for _, account, _ in shown(database)] == ["acme", None, "other"]
    assert [account for _, account, _ in shown(database, "acme")] == ["acme", None]
    assert [account for _, account, _ in shown(database, "nobody")] == [None]


def test_checks_addresses_in_any_spelling(database: Database, acme: Account) -> None:
    with database.writer() as connection:
        suppressions.add(connection, suppression("ann@x.example", acme), SINCE)
        suppressions.add(connection, suppression("bob@x.example", None), SINCE)
    asked = ["ANN@x.example", "ann@x.example", "bob@x.example", "eve@x.example", "", "\0" * 9000, "\ud800"]
    with database.reader() as connection:
        found = suppressions.check(connection, asked, "acme")
        assert {each: [e["account"] for e in of] for each, of in found.items()} == {
            "ANN@x.example": ["acme"],
            "ann@x.example": ["acme"],
            "bob@x.example": [None],
        }
        assert list(suppressions.check(connection, asked, "other")) == ["bob@x.example"]
        assert list(suppressions.check(connection, asked)) == ["ANN@x.example", "ann@x.example", "bob@x.example"]


def test_checks_any_number_of_addresses(database: Database, acme: Account) -> None:
    with database.writer() as connection:
        for i in range(0, 2000, 400):
            suppressions.add(connection, suppression(f"r{i}@x.example", acme), SINCE)
    with database.reader() as connection:
        found = suppressions.check(connection, (f"r{i}@x.example" for i in range(2000)), "acme")
    assert list(found) == [f"r{i}@x.example" for i in range(0, 2000, 400)]


def test_an_address_beyond_all_measure_is_one_suppression(database: Database, acme: Account) -> None:
    with database.writer() as connection:
        assert suppressions.add(connection, suppression("ü" * 9000, acme), SINCE)
        assert not suppressions.add(connection, suppression("Ü" * 9000, acme), SINCE)
        assert list(suppressions.check(connection, ["Ü" * 9000])) == ["Ü" * 9000]


def test_removes_what_is_named_and_nothing_else(database: Database, acme: Account) -> None:
    with database.writer() as connection:
        for account in (acme, None):
            suppressions.add(connection, suppression("ann@x.example", account), SINCE)
            suppressions.add(connection, suppression("bob@x.example", account), SINCE)
    with database.writer() as connection:
        assert suppressions.remove(connection, "ANN@x.example", "acme")
        assert suppressions.remove(connection, "bob@x.example", None)
        assert not suppressions.remove(connection, "ann@x.example", "acme")
        assert not suppressions.remove(connection, "ann@x.example", "nobody")
    assert shown(database) == [("bob@x.example", "acme", "user_unknown"), ("ann@x.example", None, "user_unknown")]
