"""Statements on their way together answer each its own, in any order, and fail as SQLAlchemy's do."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from handlers.effects import Standing
from handlers.words import Category, Reason
from storage import accounts, checking, hashing, standing
from storage.database import Database, explained
from storage.pipelined import asking
from storage.standing import Key
from tests.integration.world_fixture import NOW


def test_each_reads_its_own_answer(database: Database) -> None:
    number = ":n" if database.url.get_backend_name() == "sqlite" else "%(n)s"
    with database.reader() as connection, asking(connection) as ask:
        answers = [ask(f"SELECT CAST({number} AS integer) + 1", {"n": each}) for each in range(5)]
        later = ask("SELECT 1 WHERE 1 = 2", {})
        assert [rows() for rows in reversed(answers)] == [[(5,)], [(4,)], [(3,)], [(2,)], [(1,)]]
        assert later() == []


def test_it_sees_what_its_transaction_wrote(database: Database) -> None:
    with database.writer() as connection:
        accounts.ensure(connection, "acme")
        with asking(connection) as ask:
            rows = ask("SELECT name FROM account", {})
            assert ("acme",) in rows()
        assert connection.execute(text("SELECT count(*) FROM account WHERE name = 'acme'")).scalar_one() == 1


def ask_nonsense(database: Database) -> None:
    with explained(database.url), database.reader() as connection, asking(connection) as ask:
        good = ask("SELECT 1", {})
        ask("SELECT nothing FROM account", {})()
        good()


def test_a_fault_of_ours_is_told_as_one(database: Database) -> None:
    with pytest.raises(DBAPIError, match="SELECT nothing FROM account") as told:
        ask_nonsense(database)  # explained() passes on what no operator could mend
    assert isinstance(told.value, ProgrammingError | OperationalError)
    with database.reader() as connection:  # and the next one is well
        assert checking.check(connection, None, ["ann@x.example"], NOW) == {}


def test_a_check_of_several_statements_finds_addresses_and_hashes(database: Database) -> None:
    dead = Standing(Category.UNKNOWN_USER, Reason.USER_UNKNOWN, NOW)
    asked = [f"r{number}@x.example" for number in range(2500)]
    with database.writer() as connection:
        account = accounts.ensure(connection, "acme").id
        key = hashing.ensure_key(connection)
        rows = {Key(address, account): dead for address in asked[::7]}
        rows |= {Key(hashing.hashed(address, key), account): dead for address in asked[1::7]}
        standing.write(connection, {}, rows)
    with database.reader() as connection:
        found = checking.check(connection, account, asked, NOW)
        assert checking.check(connection, account, [], NOW) == {}
    assert set(found) == {*asked[::7], *asked[1::7]}
