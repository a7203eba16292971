"""What was sent and what came: mint and the listings."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli.output import dumps
from tests.integration.cli_fixture import (
    PERSON,
    Bouncemx,
    Filled,
)

pytestmark = pytest.mark.usefixtures("clean_process")

BOUNCEMX = str(Path(sys.executable).parent / "bouncemx")


class TestMint:
    FIELDS = ("return_path", "recipient", "message_id", "envelope_id", "account")

    def test_a_return_path_a_line(self, bouncemx: Bouncemx) -> None:
        said = bouncemx("mint", "ann@x.example", "bob@x.example")
        assert said.code == 0
        assert re.fullmatch(r"(b[a-z2-7]{35}@bounces\.example\.test\n){2}", said.text)

    def test_its_json_has_exactly_these_fields(self, bouncemx: Bouncemx) -> None:
        rows = bouncemx("mint", "ann@x.example", "bob@x.example", "--message-id", "m@s.example", "--json").rows
        assert [tuple(row) for row in rows] == [self.FIELDS, self.FIELDS]
        assert [(row["recipient"], row["message_id"], row["account"]) for row in rows] == [
            ("ann@x.example", "<m@s.example>", "default"),
            ("bob@x.example", "<m@s.example>", "default"),
        ]

    def test_many_messages_of_an_account(self, bouncemx: Bouncemx) -> None:
        words = (
            "--count",
            3,
            "--account",
            "shop",
            "--subject",
            "Grüße",
            "--campaign",
            "spring",
            "--kind",
            "one_to_one",
        )
        rows = bouncemx("mint", "ann@x.example", "bob@x.example", *words, "--json").rows
        assert len(rows) == len({row["return_path"] for row in rows}) == 6
        assert len({row["message_id"] for row in rows}) == 3
        shown = bouncemx("messages", "--json").rows
        assert [
            (each["account"], each["subject"], each["campaign"], each["kind"], each["deliveries"]) for each in shown
        ] == [("shop", "Grüße", "spring", "one_to_one", 2)] * 3
        assert [each["name"] for each in bouncemx("accounts", "--json").rows] == ["shop"]

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["ann"], "recipient 'ann' is no address"),
            (["ok@x.example", "b@d@x.example"], "recipient 'b@d@x.example' is no address"),
            (["ann@x.example", "--kind", "spam"], "the kind of a message is marketing or one_to_one, not 'spam'"),
            (["ann@x.example", "--account", " "], "an account's name is 1 to 200 printable characters, not ' '"),
            (["ann@x.example", "--message-id", "a\nb"], "the Message-ID must be 1 to 998 octets of printable text"),
            (["ann@x.example", "--count", "0"], "Invalid value for '--count': "),
            (["ann@x.example", "--count", "many"], "Invalid value for '--count': "),
            ([], "Missing argument"),
            (["ann@x.example", "--no-such-option"], "No such option"),
        ],
    )
    def test_what_cannot_be_is_named(self, bouncemx: Bouncemx, words: list[str], told: str) -> None:
        said = bouncemx("mint", *words)
        assert (said.code, said.out) == (2, b"")
        assert told in said.err
        assert "Traceback" not in said.err


class TestListings:
    def test_captures(self, bouncemx: Bouncemx, filled: Filled) -> None:
        first, second = bouncemx("captures", "--json", folder=filled.folder).rows
        assert (first["id"], second["id"]) == filled.ids
        assert (first["kind"], first["detectability"], first["subject"]) == (
            "failure",
            "matched",
            "Unzustellbar: Grüße",
        )
        assert first["message"]["return_path"] == filled.minted["return_path"]
        assert first["message"]["message_id"] == "<m1@sender.example>"
        assert (second["message"], second["detectability"]) == (None, "not_a_bounce")
        assert "raw" not in first

    def test_captures_with_their_octets(self, bouncemx: Bouncemx, filled: Filled) -> None:
        raw = [
            row["raw"].encode("latin-1") for row in bouncemx("captures", "--json", "--raw", folder=filled.folder).rows
        ]
        assert raw == [filled.notice, PERSON]

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("ANN@x.example", [0]),
            ("grüße", [0]),
            ("mx.example", [0]),
            ("hello", [1]),
            ("eve@", [1]),
            ("\udcff", [1]),
            ("nobody", []),
        ],
    )
    def test_captures_that_contain(self, bouncemx: Bouncemx, filled: Filled, text: str, found: list[int]) -> None:
        rows = bouncemx("captures", "--json", "--contains", text, folder=filled.folder).rows
        assert [row["id"] for row in rows] == [filled.ids[each] for each in found]

    def test_bounces_and_suppressions(self, bouncemx: Bouncemx, filled: Filled) -> None:
        (bounce,) = bouncemx("bounces", "--json", folder=filled.folder).rows
        assert (bounce["address"], bounce["type"], bounce["capture"]) == ("ann@x.example", "hard", filled.ids[0])
        assert bounce["message"]["return_path"] == filled.minted["return_path"]
        (suppression,) = bouncemx("suppressions", "--json", folder=filled.folder).rows
        assert (suppression["address"], suppression["account"]) == ("ann@x.example", "default")

    @pytest.mark.parametrize("name", ["captures", "bounces", "messages", "suppressions", "accounts"])
    def test_tables_are_for_people(self, bouncemx: Bouncemx, filled: Filled, name: str) -> None:
        said = bouncemx(name, folder=filled.folder)
        assert said.code == 0
        assert len(said.text.splitlines()) >= 2
        assert bouncemx(name).text == "Nothing yet.\n"

    def test_a_table_interprets_nothing(self, bouncemx: Bouncemx) -> None:
        bouncemx("mint", "ann@x.example", "--subject", "[red]bold[/red] \u202e", "--account", "[link]")
        assert "[link]" in bouncemx("accounts").text
        assert bouncemx("messages", "--json").code == 0

    def test_the_environment_names_the_folder(self, filled: Filled) -> None:
        """As a process, whose standard output can say little."""
        environment = {**os.environ, "BOUNCEMX_DATA_DIR": str(filled.folder), "PYTHONIOENCODING": "ascii"}
        ran = subprocess.run([BOUNCEMX, "captures", "--json"], env=environment, capture_output=True, check=True)
        assert (ran.stderr, ran.stdout.isascii()) == (b"", True)
        assert json.loads(ran.stdout.splitlines()[0])["subject"] == "Unzustellbar: Grüße"

    @pytest.mark.parametrize(
        "text", ["a\x85b", "\u2028\u2029", "\x9b2J\x7f", "\udfff\ud800", "Grüße \U0001f600", "\0\r\n\\u0085"]
    )
    def test_a_line_is_one_line_for_everybody(self, text: str) -> None:
        line = dumps({"text": text})
        assert line.splitlines() == [line]
        assert line.isprintable()
        assert json.loads(line) == {"text": text}

    def test_a_reader_that_has_seen_enough(self, filled: Filled) -> None:
        command = f"{BOUNCEMX} captures --json --raw --data-dir {filled.folder} | true"
        ran = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False)
        assert ran.stderr == b""
