"""The commands: what scripts read, what people read, and one clear line where something is wrong."""

import json
import logging
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from typer.main import get_command

import server.cli
from handlers.envelope import Envelope
from server import minting, tryout
from server.cli.output import dumps
from server.settings import Settings, UserError
from server.worker import compose
from storage import database, journal

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
Bouncemx = Callable[..., "Said"]


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings of this shell; and `serve` sets up the logs of its process."""
    for name in list(os.environ):
        if name.startswith("BOUNCEMX_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def bouncemx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Bouncemx:
    """bouncemx("captures", "--json", folder=...): the command as the console script runs it, in this process."""

    def run(*words: object, folder: Path | None = tmp_path / "data") -> Said:
        place = ["--data-dir", str(folder)] if folder else []
        monkeypatch.setattr(sys, "argv", ["bouncemx", *map(str, words), *place])
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            server.cli.main()
        out, err = capsysbinary.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0 if code is None else 1, out, err.decode())

    return run


NOTICE = """\
    From: Mail Delivery System <mailer-daemon@mx.example>
    To: {to}
    Subject: Unzustellbar: Grüße
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status; boundary="b"

    --b
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mx.example

    Final-Recipient: rfc822; ann@x.example
    Action: failed
    Status: 5.1.1
    Diagnostic-Code: smtp; 550 5.1.1 <ann@x.example>: Recipient address rejected: User unknown

    --b--
    """
PERSON = b"From: eve@x.example\r\nSubject: \xff\x00 hello\r\n\r\nbody \x85 \x9b2J \x0b\x0c\x1c\x7f\r\n"


@dataclass(frozen=True)
class Filled:
    """A data folder with a bounce and a person's mail stored, and one more that waits in the journal."""

    folder: Path
    minted: dict[str, Any]
    notice: bytes
    ids: tuple[int, int]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("filled")
    (folder / "bouncemx.toml").write_text('return_path_domain = "rp.example"\nauthenticate = false\n')
    settings = Settings(data_dir=folder)
    minted = minting.mint(settings, minting.Request(("ann@x.example",), "m1@sender.example", subject="News"))[0]
    notice = dedent(NOTICE).format(to=minted["return_path"]).replace("\n", "\r\n").encode()
    at = datetime(2026, 3, 4, tzinfo=UTC)
    to_us = Envelope("", (minted["return_path"],), "mx.example", "192.0.2.7", at)
    to_base = Envelope("eve@x.example", ("bounces@rp.example",), "mx.example", "192.0.2.7", at)
    with journal.Writer(settings.journal) as writer:
        first, second = writer.write([(to_us, notice), (to_base, PERSON)])
        with compose(settings) as worker:
            while worker.step():
                pass
    return Filled(folder, minted, notice, (first, second))


def commands() -> Iterator[tuple[str, Any]]:
    """The name and the command, of groups each of theirs."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield name, command
        for word, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{name} {word}".strip())

    yield from walk(get_command(server.cli.app), "")


COMMANDS = dict(commands())
# what a command needs beside its name
ARGUMENTS = {
    "mint": ["ann@x.example"],
    "inspect": ["."],
    "keys export": ["default"],
    "journal cat": ["1"],
    "explain": ["1"],
}
ENDLESS = {"serve"}


class TestEveryCommand:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_tells_its_help_in_plain_words(self, bouncemx: Bouncemx, name: str) -> None:
        said = bouncemx(*name.split(), "--help", folder=None)
        assert (said.code, said.err) == (0, "")
        assert "--data-dir" in said.text
        for parameter in COMMANDS[name].params:
            assert parameter.help or parameter.hidden, f"{name}: {parameter.name} says nothing"

    @pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ENDLESS))
    @pytest.mark.parametrize("exists", [True, False])
    def test_works_on_an_empty_folder(self, bouncemx: Bouncemx, tmp_path: Path, name: str, exists: bool) -> None:
        folder = tmp_path / "a" / "b"
        if exists:
            folder.mkdir(parents=True)
        arguments = [tmp_path if each == "." else each for each in ARGUMENTS.get(name, [])]
        said = bouncemx(*name.split(), *arguments, folder=folder)
        if name in ("journal cat", "explain"):
            assert (said.code, said.out) == (2, b"")
            assert "shows" in said.err
        else:
            assert (said.code, said.err) == (0, "")
            assert name == "inspect" or said.out

    @pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"inspect", "serve"}))
    def test_a_folder_that_cannot_be_is_one_line(self, bouncemx: Bouncemx, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").touch()
        said = bouncemx(*name.split(), *ARGUMENTS.get(name, []), folder=tmp_path / "file" / "data")
        if name in ("rules check", "journal ls", "journal cat", "doctor"):
            assert said.code in (0, 1, 2)
        else:
            assert said.code == 1
            assert re.fullmatch(r"bouncemx: .*/file/data.*: Not a directory\n", said.err)
        assert "Traceback" not in said.err

    @pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"keys ls", "keys rotate", "journal ls", "journal cat"}))
    def test_a_setting_that_is_wrong_is_told(self, bouncemx: Bouncemx, tmp_path: Path, name: str) -> None:
        (tmp_path / "bouncemx.toml").write_text('profile = "x"\nretun_path_domain = "y"\n')
        said = bouncemx(*name.split(), *ARGUMENTS.get(name, []), folder=tmp_path)
        told = said.text if name == "doctor" else said.err
        assert said.code == (1 if name == "doctor" else 2)
        assert "profile = 'x'" in told
        assert "Traceback" not in said.err

    @pytest.mark.parametrize("name", ["mint", "keys ls", "keys rotate", "keys export", "serve"])
    def test_a_broken_key_file_is_told_and_kept(self, bouncemx: Bouncemx, tmp_path: Path, name: str) -> None:
        keys = tmp_path / "keys.json"
        keys.write_text("{}")
        keys.chmod(0o600)
        only = ["--only", "worker"] if name == "serve" else []
        said = bouncemx(*name.split(), *only, *ARGUMENTS.get(name, []), folder=tmp_path)
        assert (said.code, said.out) == (2, b"")
        assert said.err.splitlines()[-1].startswith(
            f"bouncemx: {keys} cannot be used (KeyError: 'version'). Put it back"
        )
        assert "Traceback" not in said.err
        assert keys.read_text() == "{}"

    @pytest.mark.parametrize("name", ["captures", "bounces", "messages", "suppressions", "accounts"])
    def test_what_reads_waits_for_nobody_who_writes(self, bouncemx: Bouncemx, tmp_path: Path, name: str) -> None:
        with _held(tmp_path):
            said = bouncemx(name, folder=tmp_path)
        assert (said.code, said.text, said.err) == (0, "Nothing yet.\n", "")

    @pytest.mark.parametrize("name", ["mint", "keys export"])
    def test_a_locked_database_is_told(
        self, bouncemx: Bouncemx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
        with _held(tmp_path):
            said = bouncemx(*name.split(), *ARGUMENTS[name], folder=tmp_path)
        assert (said.code, said.out) == (1, b"")
        assert re.fullmatch(
            r"bouncemx: the database .*/bouncemx.db: database is locked; another process .*\n", said.err
        )

    @pytest.mark.parametrize("name", ["captures", "mint", "doctor"])
    def test_a_database_that_is_none(self, bouncemx: Bouncemx, tmp_path: Path, name: str) -> None:
        (tmp_path / "bouncemx.db").write_text("not a database" * 100)
        said = bouncemx(name, *ARGUMENTS.get(name, []), folder=tmp_path)
        assert said.code == 1
        assert "it is no SQLite database" in " ".join((said.text + said.err).split())
        assert "Traceback" not in said.err


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """While another process writes to the folder's database."""
    database.migrate(database.locate(None, folder))
    with closing(sqlite3.connect(folder / "bouncemx.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


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


BOUNCEMX = str(Path(sys.executable).parent / "bouncemx")


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
            (["--only", "postman"], "--only postman: there are intake, worker, web"),
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


SECTIONS: dict[str, str] = dict(
    re.findall(r"^## bouncemx ([a-z ]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
)
COMMON = frozenset({"--data-dir", "--json", "--help"})


class TestPage:
    """docs/commands.md and the commands are one."""

    def test_it_has_every_command(self) -> None:
        assert list(SECTIONS) == list(COMMANDS)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_it_has_every_option(self, name: str) -> None:
        options = {word for each in COMMANDS[name].params if not each.hidden for word in each.opts if word[0] == "-"}
        assert set(re.findall(r"--[a-z][a-z-]*", SECTIONS[name])) - COMMON == options - COMMON
        assert ("--json" in options) == ("\nJSON: " in SECTIONS[name])
        assert f"\n    bouncemx {name}" in SECTIONS[name]

    @pytest.mark.parametrize("name", [name for name, text in SECTIONS.items() if "\nJSON: " in text])
    def test_it_has_every_field(self, bouncemx: Bouncemx, filled: Filled, tmp_path: Path, name: str) -> None:
        (tmp_path / "a.eml").write_bytes(filled.notice)
        arguments: dict[str, list[object]] = {
            "mint": ["ann@x.example"],
            "inspect": [tmp_path / "a.eml"],
            "explain": [filled.ids[0]],
        }
        empty = name == "mint"  # it would add to what the other tests look at
        said = bouncemx(
            *name.split(), *arguments.get(name, []), "--json", folder=tmp_path / "x" if empty else filled.folder
        )
        told = re.search(r"^JSON: (.*)$", SECTIONS[name], re.MULTILINE)
        assert told is not None
        assert list(said.rows[0]) == told[1].split(", ")


@pytest.mark.parametrize(("fault", "seen"), [(KeyError("ours"), KeyError), (UserError("theirs"), SystemExit)])
def test_only_what_a_person_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, seen: type[BaseException]
) -> None:
    def app(prog_name: str) -> None:
        raise fault

    monkeypatch.setattr(server.cli, "app", app)
    with pytest.raises(seen):
        server.cli.main()
