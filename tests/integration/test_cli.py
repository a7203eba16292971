"""Every command: help, empty and broken folders, and the page that tells of them."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import server.cli
from server.settings import UserError
from storage import accounts, database, tables
from tests.integration.cli_fixture import ARGUMENTS, COMMANDS, ENDLESS, PAGE, Bouncemx, Filled
from tests.integration.webhook_fixture import told_once

pytestmark = pytest.mark.usefixtures("clean_process")


NOTHING_THERE = ("unbounce", "incidents release", "incidents confirm", "export resend")


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
        one_of_many = name.startswith("webhooks ") and name != "webhooks add"
        if one_of_many or name in ("journal cat", "explain", "api-keys revoke", "link", "unlink", *NOTHING_THERE):
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


def an_incident(folder: Path) -> None:
    folder.mkdir()
    url = database.locate(None, folder)
    database.migrate(url)
    now = datetime.now(UTC)
    times = {"began_at": now, "opened_at": now, "last_at": now}
    with database.Database(url) as db, db.writer() as connection:
        of = {"account_id": accounts.ensure(connection, "shop").id, "provider": "google", "reason": "ip_blocked"}
        connection.execute(tables.incident.insert(), {**of, **times, "refusals": 20})


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """While another process writes to the folder's database."""
    database.migrate(database.locate(None, folder))
    with closing(sqlite3.connect(folder / "bouncemx.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


SECTIONS: dict[str, str] = dict(
    re.findall(r"^## bouncemx ([a-z -]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
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
            "contact": ["Ann@X.example"],
        }
        if name == "api-keys ls":
            bouncemx("api-keys", "add", "--operator", folder=filled.folder)
        if name.startswith("webhooks"):
            arguments[name] = ARGUMENTS[name] if name == "webhooks add" else [told_once(filled.folder)]
            arguments["webhooks"] = []
        empty = name in ("mint", "unbounce", "incidents", "erasures")  # it would change what the other tests look at
        if name == "unbounce":
            bouncemx("import", *ARGUMENTS["import"], folder=tmp_path / "x")
            arguments[name] = ARGUMENTS[name]
        if name == "erasures":
            bouncemx("erase", *ARGUMENTS["erase"], folder=tmp_path / "x")
            arguments[name] = ARGUMENTS[name]
        if name == "incidents":
            an_incident(tmp_path / "x")
        said = bouncemx(
            *name.split(), *arguments.get(name, []), "--json", folder=tmp_path / "x" if empty else filled.folder
        )
        told = re.search(r"^JSON: (.*?)(?:\n\n|\Z)", SECTIONS[name], re.MULTILINE | re.DOTALL)
        assert told is not None
        assert list(said.rows[0]) == re.split(r",\s", told[1].strip())


@pytest.mark.parametrize(("fault", "seen"), [(KeyError("ours"), KeyError), (UserError("theirs"), SystemExit)])
def test_only_what_a_person_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, seen: type[BaseException]
) -> None:
    def app(prog_name: str) -> None:
        raise fault

    monkeypatch.setattr(server.cli, "app", app)
    with pytest.raises(seen):
        server.cli.main()
