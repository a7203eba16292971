"""bouncemx accounts and api-keys."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import api_keys
from storage.database import Database, locate
from tests.integration.cli_fixture import Bouncemx


def test_an_account_is_made_once(bouncemx: Bouncemx) -> None:
    assert bouncemx("accounts", "add", "shop", "--owner", "Acme Ltd").text == "Account shop is made.\n"
    again = bouncemx("accounts", "add", "shop")
    assert (again.code, again.err) == (2, "bouncemx: account 'shop' is there already\n")
    assert [(each["name"], each["owner"]) for each in bouncemx("accounts", "--json").rows] == [("shop", "Acme Ltd")]


@pytest.mark.parametrize("words", [[" "], ["a\nb"], ["shop", "--owner", "\t"]])
def test_a_name_that_can_be_none_is_refused(bouncemx: Bouncemx, words: list[str]) -> None:
    said = bouncemx("accounts", "add", *words)
    assert said.code == 2
    assert "1 to 200 printable characters" in said.err
    assert bouncemx("accounts", "--json").rows == []


@pytest.mark.parametrize(
    "words", [("accounts", "add", "shop"), ("incidents", "release", "1", "--why", "us"), ("webhooks", "enable", "1")]
)
def test_a_folder_that_would_not_be_used_is_refused(bouncemx: Bouncemx, tmp_path: Path, words: tuple[str, ...]) -> None:
    group, command, *more = words
    said = bouncemx(group, "--data-dir", tmp_path / "elsewhere", command, *more)
    assert (said.code, f"say it behind `{group} {command}`" in said.err) == (2, True)


def test_a_key_is_told_once_and_good_until_revoked(bouncemx: Bouncemx, tmp_path: Path) -> None:
    bouncemx("accounts", "add", "shop")
    words = ["--account", "shop", "--scope", "register", "--scope", "read", "--name", "news", "--days", 30]
    text = bouncemx("api-keys", "add", *words).text.strip()
    assert re.fullmatch("bmx_1_[0-9a-f]{64}", text)
    shown = bouncemx("api-keys", "ls", "--json")
    assert text[6:] not in shown.text
    (row,) = shown.rows
    assert (row["account"], row["name"], row["scopes"]) == ("shop", "news", ["read", "register"])
    assert (datetime.fromisoformat(row["expires_at"]) - datetime.fromisoformat(row["created_at"])).days == 30
    with Database(locate(None, tmp_path / "data")) as db, db.reader() as connection:
        found = api_keys.find(connection, text, datetime.now(UTC))
        assert found is not None
        assert (found.account and found.account.name, found.scopes) == ("shop", {"read", "register"})
        assert api_keys.find(connection, text, datetime(2126, 1, 1, tzinfo=UTC)) is None
    assert bouncemx("api-keys", "revoke", 1).text == "Key 1 is revoked.\n"
    assert bouncemx("api-keys", "revoke", 1).code == 2
    with Database(locate(None, tmp_path / "data")) as db, db.reader() as connection:
        assert api_keys.find(connection, text, datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give --account NAME with its --scope SCOPE, or --operator alone"),
        (["--operator", "--account", "shop"], "or --operator alone"),
        (["--operator", "--scope", "read"], "or --operator alone"),
        (["--account", "nobody"], "account 'nobody' is not there: `bouncemx accounts add` makes one"),
        (["--account", "shop", "--scope", "rule"], "scope 'rule' is not known; there are: read, register"),
        (["--account", "shop", "--scope", "operator"], "a key with the scope operator belongs to no account"),
        (["--account", "shop", "--name", "a\nb"], "at most 200 printable characters"),
    ],
)
def test_what_can_be_no_key_is_refused(bouncemx: Bouncemx, words: list[str], told: str) -> None:
    bouncemx("accounts", "add", "shop")
    said = bouncemx("api-keys", "add", *words)
    assert said.code == 2
    assert told in said.err
    assert bouncemx("api-keys", "ls", "--json").rows == []
