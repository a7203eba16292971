"""Keys of the API in a database."""

from datetime import UTC, datetime, timedelta

import pytest

from storage import accounts, api_keys
from storage.api_keys import Scope
from storage.database import Database

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_only_the_whole_key_opens(database: Database) -> None:
    with database.writer() as connection:
        shop = accounts.ensure(connection, "shop")
        key, text = api_keys.add(connection, shop, [Scope.READ], NOW)
        other, _ = api_keys.add(connection, None, [Scope.OPERATOR], NOW)
        assert api_keys.find(connection, text, NOW) == api_keys.ApiKey(key, shop, frozenset({Scope.READ}), None)
        of_other = text.replace(f"bmx_{key}_", f"bmx_{other}_")
        wrong = ("", text[:-1], text + "0", text.upper(), of_other, f"bmx_999_{text[6:]}", f" {text}", text[:-1] + "g")
        assert [api_keys.find(connection, each, NOW) for each in wrong] == [None] * len(wrong)


def test_the_secret_is_not_in_the_database(database: Database) -> None:
    with database.writer() as connection:
        _, text = api_keys.add(connection, None, [Scope.OPERATOR], NOW)
        stored = connection.exec_driver_sql("SELECT * FROM api_key").one()
    assert text.rpartition("_")[2] not in str(stored)


def test_a_key_expires(database: Database) -> None:
    with database.writer() as connection:
        end = NOW + timedelta(days=1)
        _, text = api_keys.add(connection, None, [Scope.OPERATOR], NOW, expires_at=end)
        assert api_keys.find(connection, text, end - timedelta(seconds=1)) is not None
        assert api_keys.find(connection, text, end) is None
        with pytest.raises(ValueError, match="has passed: give a time to come"):
            api_keys.add(connection, None, [Scope.OPERATOR], NOW, expires_at=NOW)


def test_use_is_noted_to_the_minute(database: Database) -> None:
    with database.writer() as connection:
        key, text = api_keys.add(connection, None, [Scope.OPERATOR], NOW)
        for seconds in (0, 59, 60, 61):
            api_keys.note_use(connection, key, NOW + timedelta(seconds=seconds))
        found = api_keys.find(connection, text, NOW)
        assert found is not None
        assert found.last_used_at == NOW + timedelta(seconds=60)
        assert not api_keys.is_due(found, NOW + timedelta(seconds=119))
        assert api_keys.is_due(found, NOW + timedelta(seconds=120))


@pytest.mark.parametrize(
    ("owned", "scopes"), [(True, []), (True, [Scope.OPERATOR]), (False, [Scope.READ]), (False, [])]
)
def test_scopes_fit_the_account(database: Database, owned: bool, scopes: list[Scope]) -> None:
    with database.writer() as connection:
        shop = accounts.ensure(connection, "shop") if owned else None
        with pytest.raises(ValueError, match="scope"):
            api_keys.add(connection, shop, scopes, NOW)
