"""Mails, the journal, keys, rules and what serve prints."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server import tryout
from server.settings import Settings
from tests.integration.cli_fixture import (
    PERSON,
    Bouncemx,
    Filled,
)

pytestmark = pytest.mark.usefixtures("clean_process")


class TestInspect:
    def test_files_folders_and_mboxes(self, bouncemx: Bouncemx, filled: Filled, tmp_path: Path) -> None:
        (tmp_path / "mails").mkdir()
        (tmp_path / "mails" / "a.eml").write_bytes(filled.notice)
        start = b"From x@y.example Thu Jan  1 00:00:00 2026\n"
        mbox = start + b"Subject: one\n\n" + start + filled.notice.replace(b"\r\n", b"\n")
        (tmp_path / "box").write_bytes(mbox)
        rows = bouncemx("inspect", tmp_path / "mails", tmp_path / "box", "--json").rows
        assert [Path(row["file"]).name for row in rows] == ["a.eml", "box:1", "box:2"]
        assert [row["kind"] for row in rows] == ["failure", "other", "failure"]
        assert {row["recipients"][0]["type"] for row in rows if row["recipients"]} == {"hard"}
        assert not (tmp_path / "data").exists()

    def test_profile_and_rules_of_the_settings(self, bouncemx: Bouncemx, tmp_path: Path) -> None:
        reply = "550 5.7.1 message refused for reasons of policy"
        (tmp_path / "a.eml").write_text(
            f"From: mailer-daemon@mx.example\nSubject: Undelivered\n\n<ann@x.example>: {reply}\n"
        )
        given = [
            bouncemx("inspect", tmp_path / "a.eml", "--json", "--profile", each).rows
            for each in ("hubspot", "conservative")
        ]
        assert [rows[0]["recipients"][0]["type"] for rows in given] == ["hard", "soft"]
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "bouncemx.toml").write_text('profile = "conservative"')
        assert bouncemx("inspect", tmp_path / "a.eml", "--json").rows == given[1]

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["no.eml"], "no.eml: there is no such file or folder"),
            (["x", "--profile", "no"], "Invalid value for '--profile'"),
            ([], "Missing"),
        ],
    )
    def test_what_is_wrong(self, bouncemx: Bouncemx, words: list[str], told: str) -> None:
        said = bouncemx("inspect", *words)
        assert said.code == 2
        assert told in said.err


class TestExplain:
    @pytest.mark.parametrize("how", ["file", "capture"])
    def test_why(self, bouncemx: Bouncemx, filled: Filled, tmp_path: Path, how: str) -> None:
        (tmp_path / "a.eml").write_bytes(filled.notice)
        what = tmp_path / "a.eml" if how == "file" else filled.ids[0]
        (row,) = bouncemx("explain", what, "--json", folder=filled.folder).rows
        assert (row["address"], row["reason"], row["guess"]) == ("ann@x.example", "user_unknown", False)
        assert row["span"] in row["reply"]
        told = bouncemx("explain", what, folder=filled.folder).text
        assert f"because  {row['rule']}" in told
        assert "ann@x.example: hard, unknown_user, user_unknown" in told

    def test_a_kind_that_is_a_guess_says_so(self, bouncemx: Bouncemx, filled: Filled, tmp_path: Path) -> None:
        (tmp_path / "a.eml").write_text(
            "From: Kundesenter <kundesenter@cust.example>\nReturn-Path: <kundesenter@cust.example>\n"
            "Subject: Om meldingen din\n\nVi skulle gjerne gitt meldingen din til jo@cust.example, men kunden har sagt "
            "opp avtalen og kontoen er stengt. Serveren kunne derfor ikke ta imot den, og mottakeren så den ikke.\n"
        )
        (row,) = bouncemx("explain", tmp_path / "a.eml", "--json").rows
        assert (row["kind_guessed"], row["reason"]) == (True, "mailbox_disabled")
        assert "of kind failure is a guess" in bouncemx("explain", tmp_path / "a.eml").text
        (row,) = bouncemx("explain", filled.ids[0], "--json", folder=filled.folder).rows
        assert row["kind_guessed"] is False

    def test_a_mail_that_names_nobody(self, bouncemx: Bouncemx, filled: Filled) -> None:
        said = bouncemx("explain", filled.ids[1], folder=filled.folder)
        assert said.text == "It is of kind other (read as text) and names no recipient.\n"
        assert bouncemx("explain", filled.ids[1], "--json", folder=filled.folder).out == b""

    @pytest.mark.parametrize("what", ["7", "9" * 18])
    def test_a_capture_that_is_not_there(self, bouncemx: Bouncemx, what: str) -> None:
        said = bouncemx("explain", what)
        assert (said.code, said.err) == (2, f"bouncemx: there is no capture {what}; `bouncemx captures` shows them\n")

    @pytest.mark.parametrize("what", ["no.eml", "９", "9" * 5000, "-"])
    def test_what_is_neither(self, bouncemx: Bouncemx, what: str) -> None:
        said = bouncemx("explain", what)
        assert said.code in (1, 2)
        assert said.err.startswith("bouncemx: ")
        assert "Traceback" not in said.err


class TestJournal:
    def test_what_waits(self, bouncemx: Bouncemx, filled: Filled) -> None:
        rows = bouncemx("journal", "ls", "--json", folder=filled.folder).rows
        assert [(row["id"], row["octets"]) for row in rows] == [
            (filled.ids[0], len(filled.notice)),
            (filled.ids[1], len(PERSON)),
        ]
        assert bouncemx("journal", "cat", filled.ids[1], folder=filled.folder).out == PERSON

    @pytest.mark.parametrize("position", [0, 1])
    def test_a_position_where_no_mail_is(self, bouncemx: Bouncemx, filled: Filled, position: int) -> None:
        said = bouncemx("journal", "cat", filled.ids[0] + position + 1, folder=filled.folder)
        assert (said.code, said.out) == (2, b"")
        assert "`bouncemx journal ls` shows what is there" in said.err


class TestKeys:
    def test_a_rotation(self, bouncemx: Bouncemx) -> None:
        (first,) = bouncemx("keys", "ls", "--json").rows
        assert (first["kid"], first["retired"], first["signs"]) == (0, None, True)
        assert bouncemx("keys", "rotate").text == "Key 1 signs from now on.\n"
        assert [row["signs"] for row in bouncemx("keys", "ls", "--json").rows] == [False, True]

    def test_an_exported_key_mints_what_the_server_takes(self, bouncemx: Bouncemx, tmp_path: Path) -> None:
        from handlers.keys import AccountKey
        from handlers.verp import mint, verify
        from storage.keyring import open_or_create

        exported = bouncemx("keys", "export", "default").text.strip()
        assert bouncemx("keys", "export", "default").text.strip() == exported
        assert bouncemx("keys", "export", "other").text.strip() != exported
        today = datetime.now(UTC).date()
        token = mint(AccountKey.from_text(exported), "rp.example", "ann@x.example", today)
        assert verify(token, "rp.example", open_or_create(tmp_path / "data"), today).state == "valid"

    def test_no_secret_is_listed(self, bouncemx: Bouncemx, tmp_path: Path) -> None:
        said = bouncemx("keys", "ls", "--json")
        secret = json.loads((tmp_path / "data" / "keys.json").read_text())["keys"][0]["secret"]
        assert secret not in said.text

    def test_an_account_that_cannot_be(self, bouncemx: Bouncemx) -> None:
        said = bouncemx("keys", "export", "")
        assert (said.code, said.out) == (2, b"")
        assert "an account's name is 1 to 200 printable characters" in said.err


class TestRules:
    def test_ours_are_good(self, bouncemx: Bouncemx) -> None:
        assert bouncemx("rules", "check").text == "No problems.\n"

    @pytest.mark.parametrize("named", [True, False])
    def test_a_file_that_is_wrong(self, bouncemx: Bouncemx, tmp_path: Path, named: bool) -> None:
        (tmp_path / "own.toml").write_text("[[rule]]\nid = 7\n")
        (tmp_path / "data").mkdir()
        if not named:
            (tmp_path / "data" / "bouncemx.toml").write_text(f'rules = ["{tmp_path}/own.toml"]')
        said = bouncemx("rules", "check", *([tmp_path / "own.toml"] if named else []))
        assert said.code == 2
        assert "own.toml" in said.text


class TestServe:
    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["--only", "postman"], "--only postman: there are intake, worker, web, webhooks"),
            (["--only", "intake", "--smtp", "nonsense"], "'nonsense' is no HOST:PORT: give e.g."),
            (["--only", "intake", "--smtp", "192.0.2.1:0"], "192.0.2.1:0: "),
        ],
    )
    def test_what_is_wrong_is_told_at_the_start(self, bouncemx: Bouncemx, words: list[str], told: str) -> None:
        said = bouncemx("serve", *words)
        assert said.code == 2
        assert told in said.err
        assert "Traceback" not in said.err

    def test_the_hint_is_a_mail_that_bounces(self, bouncemx: Bouncemx, tmp_path: Path) -> None:
        hint = tryout.hint(Settings(data_dir=tmp_path / "a b"), "127.0.0.1:2525", "127.0.0.1:8025")
        assert f"--data '@{tmp_path}/a b/try.eml'" in hint
        (row,) = bouncemx("inspect", tmp_path / "a b" / "try.eml", "--json").rows
        assert (row["kind"], row["recipients"][0]["reason"]) == ("failure", "user_unknown")
        assert b"\r\n" in (tmp_path / "a b" / "try.eml").read_bytes()
