"""A suppression is there once, holds for whom it should, and for as long; what a person said stands above bounces."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.effects import Source, Standing, State
from handlers.message import Account
from handlers.words import BounceType, Category, Reason
from storage import accounts, changes, events, lifting, standing, suppressions
from storage.checking import check
from storage.database import Database
from storage.lifting import TooMany, Word
from storage.standing import Key
from storage.suppressions import Said

NOW = datetime(2026, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
WORD = Word("eve", "she is back", NOW)


@pytest.fixture
def acme(database: Database) -> Account:
    with database.writer() as connection:
        accounts.ensure(connection, "other")
        return accounts.ensure(connection, "acme")


def say(database: Database, account: Account | None, *addresses: str, now: datetime = NOW) -> int:
    with database.writer() as connection:
        key = account.id if account else None
        return suppressions.add(connection, key, [Said(each) for each in addresses], now=now, who="bob", why="asked")


def bounced(database: Database, address: str, account: Account, **fields: object) -> None:
    """As a bounce leaves it."""
    dead = Standing(Category.UNKNOWN_USER, Reason.USER_UNKNOWN, NOW, capture=7, **fields)  # type: ignore[arg-type]
    with database.writer() as connection:
        standing.write(connection, {}, {Key(address, account.id): dead})


def shown(database: Database, account: str | None = None) -> list[tuple[str, str | None, str]]:
    with database.reader() as connection:
        found = suppressions.listing(connection, account, None, now=NOW)
        return [(e["address"], e["account"], e["state"]) for e in found if e["state"] != State.LIFTED]


def log(database: Database) -> list[tuple[str, str, str | None]]:
    with database.reader() as connection:
        return [(e["address"], e["change"], e["who"]) for e in changes.after(connection, None, 0, 100).changes]


def told(database: Database) -> list[tuple[str, str]]:
    with database.reader() as connection:
        return [(e["type"], e["data"]["address"]) for e in events.after(connection, None, 0, 100).events]


@pytest.mark.parametrize("owned", [True, False], ids=["an account's", "everyone's"])
def test_a_person_says_it_once(database: Database, acme: Account, owned: bool) -> None:
    account = acme if owned else None
    assert say(database, account, "Ann@X.example", "bob@x.example") == 2
    assert say(database, account, "ann@x.example", now=NOW + DAY) == 0
    with database.reader() as connection:
        assert next(suppressions.listing(connection)) == {
            "address": "ann@x.example",
            "account": account and "acme",
            "type": "hard" if owned else "global",
            "category": "other",
            "reason": "suppressed",
            "since": "2026-05-06T00:00:00+00:00",
            "capture": None,
            "state": "active",
            "source": "person",
            "expires_at": None,
            "incident": None,
            "held_until": None,
        }
    assert log(database) == [("ann@x.example", "added", "bob"), ("bob@x.example", "added", "bob")]
    assert told(database) == [("suppression.added", "ann@x.example"), ("suppression.added", "bob@x.example")]


def test_what_a_person_says_outlasts_the_bounce(database: Database, acme: Account) -> None:
    bounced(database, "ann@x.example", acme, expires_at=NOW + DAY)
    assert say(database, acme, "ann@x.example") == 0
    with database.reader() as connection:
        (kept,) = suppressions.listing(connection)
    assert (kept["reason"], kept["capture"], kept["expires_at"], kept["source"]) == ("user_unknown", 7, None, "person")


def test_everyones_stands_beside_an_accounts(database: Database, acme: Account) -> None:
    with database.writer() as connection:
        other = accounts.ensure(connection, "other")
    for account in (acme, None, other):
        assert say(database, account, "ann@x.example") == 1
    assert [account for _, account, _ in shown(database)] == ["acme", None, "other"]
    assert [account for _, account, _ in shown(database, "acme")] == ["acme", None]
    assert [account for _, account, _ in shown(database, "nobody")] == [None]


class TestCheck:
    def test_in_any_spelling(self, database: Database, acme: Account) -> None:
        say(database, acme, "ann@x.example")
        say(database, None, "bob@x.example")
        asked = ["ANN@x.example", "ann@x.example", "bob@x.example", "eve@x.example", "", "\0" * 9000, "\ud800"]
        with database.reader() as connection:
            found = check(connection, acme.id, asked)
            assert {each: (of.eligible, of.type) for each, of in found.items()} == {
                "ANN@x.example": (False, "hard"),
                "ann@x.example": (False, "hard"),
                "bob@x.example": (False, "global"),
            }
            other = accounts.ensure(connection, "other")
            assert list(check(connection, other.id, asked)) == ["bob@x.example"]
            assert len(check(connection, None, asked)) == 3  # an operator's view: of anybody

    def test_any_number(self, database: Database, acme: Account) -> None:
        say(database, acme, *(f"r{i}@x.example" for i in range(0, 20_000, 4000)))
        with database.reader() as connection:
            found = check(connection, acme.id, (f"r{i}@x.example" for i in range(20_000)))
        assert sorted(found) == sorted(f"r{i}@x.example" for i in range(0, 20_000, 4000))

    def test_global_has_no_reason_of_the_account(self, database: Database, acme: Account) -> None:
        say(database, None, "ann@x.example")
        with database.reader() as connection:
            found = check(connection, acme.id, ["ann@x.example"])["ann@x.example"]
        assert (found.eligible, found.globally, found.type) == (False, True, "global")
        assert (found.category, found.reason) == (None, None)

    def test_an_accounts_own_reason_stands_in_front_of_global(self, database: Database, acme: Account) -> None:
        say(database, None, "ann@x.example")
        bounced(database, "ann@x.example", acme)
        with database.reader() as connection:
            found = check(connection, acme.id, ["ann@x.example"])["ann@x.example"]
        assert (found.eligible, found.globally, found.type, found.reason) == (False, True, "hard", "user_unknown")

    @pytest.mark.parametrize(
        ("fields", "state"),
        [
            ({"expires_at": NOW}, State.EXPIRED),
            ({"state": State.EXPIRED, "expires_at": NOW}, State.EXPIRED),
            ({"state": State.HELD, "incident": 3}, State.HELD),
        ],
        ids=["expired", "logged as expired", "held"],
    )
    def test_what_does_not_hold_is_shown_and_eligible(
        self, database: Database, acme: Account, fields: dict[str, object], state: State
    ) -> None:
        bounced(database, "ann@x.example", acme, **fields)
        with database.reader() as connection:
            found = check(connection, acme.id, ["ann@x.example"], NOW)["ann@x.example"]
            assert (found.eligible, found.state) == (True, state)
            assert [each["state"] for each in suppressions.listing(connection, state=None, now=NOW)] == [state]
            assert [each["state"] for each in suppressions.listing(connection, state=state, now=NOW)] == [state]
            assert list(suppressions.listing(connection, now=NOW)) == []
        say(database, None, "ann@x.example")
        with database.reader() as connection:
            found = check(connection, acme.id, ["ann@x.example"], NOW)["ann@x.example"]
        assert (found.eligible, found.type, found.reason) == (False, "global", None)


def test_an_address_beyond_all_measure_is_one_suppression(database: Database, acme: Account) -> None:
    assert say(database, acme, "ü" * 9000) == 1
    assert say(database, acme, "Ü" * 9000) == 0
    with database.reader() as connection:
        assert list(check(connection, acme.id, ["Ü" * 9000])) == ["Ü" * 9000]


class TestLift:
    def test_lifts_what_is_named_and_nothing_else(self, database: Database, acme: Account) -> None:
        for account in (acme, None):
            say(database, account, "ann@x.example", "bob@x.example")
        with database.writer() as connection:
            assert lifting.lift(connection, ["ANN@x.example"], acme.id, WORD, 10) == [Key("ann@x.example", acme.id)]
            assert lifting.lift_everyones(connection, ["bob@x.example"], WORD, 10) == [Key("bob@x.example", None)]
            assert lifting.lift(connection, ["ann@x.example"], acme.id, WORD, 10) == []
            assert lifting.lift(connection, ["bob@x.example"], 77, WORD, 10) == []
        assert shown(database) == [("bob@x.example", "acme", "active"), ("ann@x.example", None, "active")]
        assert log(database)[4:] == [("ann@x.example", "lifted", "eve"), ("bob@x.example", "lifted", "eve")]
        assert told(database)[4:6] == [("suppression.lifted", "ann@x.example"), ("bounce.cleared", "ann@x.example")]
        with database.reader() as connection:
            (_, added, *_), page = (changes.after(connection, acme.id, 0, 9).changes for _ in range(2))
            assert added["why"] == "asked"
            assert [each["account"] for each in page] == ["acme", "acme", None, None, "acme", None]

    def test_without_an_account_all_of_them(self, database: Database, acme: Account) -> None:
        with database.writer() as connection:
            other = accounts.ensure(connection, "other")
        for account in (acme, other, None):
            say(database, account, "ann@x.example")
        with database.writer() as connection:
            assert len(lifting.lift(connection, ["ann@x.example"], None, WORD, 10)) == 2
        assert shown(database) == [("ann@x.example", None, "active")]

    def test_so_many_a_day_and_account(self, database: Database, acme: Account) -> None:
        say(database, acme, *(f"r{i}@x.example" for i in range(5)))
        say(database, None, "r9@x.example")
        with database.writer() as connection:
            lifting.lift(connection, ["r0@x.example", "r1@x.example"], acme.id, WORD, 3)
        with pytest.raises(TooMany, match=r"2 addresses .* 3 a day: 1 are left"), database.writer() as connection:
            lifting.lift(connection, ["r2@x.example", "r3@x.example"], acme.id, WORD, 3)
        assert len(shown(database)) == 4
        with database.writer() as connection:
            assert lifting.lift(connection, ["r2@x.example"], acme.id, WORD, 3)
            assert lifting.lift_everyones(connection, ["r9@x.example"], WORD, 3)
            later = Word("eve", "again", NOW + DAY + timedelta(seconds=1))
            assert len(lifting.lift(connection, ["r3@x.example", "r4@x.example"], acme.id, later, 3)) == 2

    def test_a_person_may_say_it_again(self, database: Database, acme: Account) -> None:
        say(database, acme, "ann@x.example")
        with database.writer() as connection:
            lifting.lift(connection, ["ann@x.example"], acme.id, WORD, 10)
        assert say(database, acme, "ann@x.example", now=NOW + DAY) == 1
        assert [change for _, change, _ in log(database)] == ["added", "lifted", "added"]


def test_what_expires_is_logged_once(database: Database, acme: Account) -> None:
    bounced(database, "ann@x.example", acme, expires_at=NOW)
    bounced(database, "bob@x.example", acme, expires_at=NOW + DAY)
    for number in (1, 0):
        with database.writer() as connection:
            assert suppressions.expire(connection, NOW) == number
    assert shown(database) == [("ann@x.example", "acme", "expired"), ("bob@x.example", "acme", "active")]
    assert log(database) == [("ann@x.example", "expired", None)]
    assert told(database) == [("suppression.lifted", "ann@x.example")]


def test_an_import_tells_its_source(database: Database, acme: Account) -> None:
    with database.writer() as connection:
        new = Said("ann@x.example", Category.SPAM, Reason.SPAM_CONTENT, NOW - DAY, NOW + DAY)
        assert suppressions.add(connection, acme.id, [new, new], now=NOW, source=Source.IMPORT) == 1
        (kept,) = suppressions.listing(connection, now=NOW)
    assert (kept["source"], kept["category"], kept["since"]) == ("import", "spam", "2026-05-05T00:00:00+00:00")
    assert kept["expires_at"] == "2026-05-07T00:00:00+00:00"
    assert kept["type"] == BounceType.HARD


def test_a_check_tells_times_as_they_are_stored(database: Database, acme: Account) -> None:
    """With and without fractions of a second, in UTC wherever the database thinks it is."""
    for number, since in enumerate((NOW, NOW + timedelta(microseconds=7))):
        until = since + DAY
        bounced(database, f"r{number}@x.example", acme, state=State.HELD, expires_at=until, held_until=until)
        with database.reader() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TIME ZONE 'Asia/Tokyo'")
            found = check(connection, acme.id, [f"r{number}@x.example"], NOW)[f"r{number}@x.example"]
        assert found.shape()["since"] == NOW.isoformat()
        assert (found.since, found.expires_at, found.held_until) == (NOW, until, until)
        assert found.shape()["expires_at"] == found.shape()["held_until"] == until.isoformat()
