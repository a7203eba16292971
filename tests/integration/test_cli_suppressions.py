"""unbounce, import, export, erase, incidents: as an operator uses them."""

import csv
import io
from pathlib import Path

import pytest

from tests.integration.cli_fixture import Bouncemx

pytestmark = pytest.mark.usefixtures("clean_process")


@pytest.fixture
def listed(bouncemx: Bouncemx, tmp_path: Path) -> Bouncemx:
    file = tmp_path / "list.csv"
    file.write_text("address,reason,category\nann@x.example,mailbox_full,mailbox_full\nBob@x.example,,\n")
    said = bouncemx("import", file, "--account", "shop", "--who", "eve")
    assert (said.code, said.text) == (0, "2 of 2 addresses are newly suppressed for shop.\n")
    said = bouncemx("import", file, "--account", "shop")
    assert said.text == "0 of 2 addresses are newly suppressed for shop.\n"
    return bouncemx


class TestImport:
    @pytest.mark.parametrize(
        "text",
        [
            "ann@x.example\nBob@x.example\n",
            '{"address": "ann@x.example"}\n\n{"address": "bob@x.example", "since": "2026-01-01T00:00:00Z"}\n',
            "\ufeffaddress\r\nann@x.example\r\nbob@x.example\r\n",
            "reason,address\nuser_unknown,ann@x.example\n,bob@x.example\n",
        ],
        ids=["plain", "json lines", "with a mark", "columns in any order"],
    )
    def test_reads(self, bouncemx: Bouncemx, tmp_path: Path, text: str) -> None:
        (tmp_path / "list").write_text(text)
        assert bouncemx("import", tmp_path / "list").code == 0
        shown = bouncemx("suppressions", "--json").rows
        assert [(each["address"], each["source"]) for each in shown] == [
            ("ann@x.example", "import"),
            ("bob@x.example", "import"),
        ]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("ann@x.example\nbob\n", ":2: 'bob' is no address"),
            ('{"address": "a@b"}\n{', ":2: no JSON"),
            ('{"address": "a@b"}\n[]', ":2: no object"),
            ("address,reason\na@b,dead\n", ":2: 'dead' is not a valid Reason; docs/words.md"),
            ("address,since\na@b,soon\n", ":2: Invalid isoformat string: 'soon'; docs/words.md"),
        ],
    )
    def test_refuses_whole_what_it_cannot_read(self, bouncemx: Bouncemx, tmp_path: Path, text: str, told: str) -> None:
        (tmp_path / "list").write_text(text)
        said = bouncemx("import", tmp_path / "list")
        assert (said.code, said.out) == (2, b"")
        assert told in said.err
        assert "Nothing was imported" in said.err
        assert bouncemx("suppressions", "--json").rows == []

    def test_what_is_no_text(self, bouncemx: Bouncemx, tmp_path: Path) -> None:
        (tmp_path / "list").write_bytes(b"ann@x.example\n\xff\xfe\n")
        said = bouncemx("import", tmp_path / "list")
        assert said.code == 2
        assert "is not UTF-8" in said.err


class TestExport:
    def test_csv_comes_back_in(self, listed: Bouncemx, tmp_path: Path) -> None:
        text = listed("export", "suppressions").text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(row["address"], row["account"], row["reason"]) for row in rows] == [
            ("ann@x.example", "shop", "mailbox_full"),
            ("bob@x.example", "shop", "suppressed"),
        ]
        (tmp_path / "again.csv").write_text(text)
        assert listed("import", tmp_path / "again.csv", "--account", "other").code == 0
        again = listed("export", "suppressions", "--account", "other", "--format", "jsonl").rows
        assert [(row["address"], row["reason"]) for row in again] == [
            ("ann@x.example", "mailbox_full"),
            ("bob@x.example", "suppressed"),
        ]

    def test_postfix(self, listed: Bouncemx, tmp_path: Path) -> None:
        (tmp_path / "odd").write_text('"a b"@x.example\n#c@x.example\n')
        assert listed("import", tmp_path / "odd", "--account", "shop").code == 0
        said = listed("export", "suppressions", "--format", "postfix")
        assert [line.split()[:4] for line in said.text.splitlines()] == [
            ["ann@x.example", "REJECT", "suppressed:", "mailbox_full"],
            ["bob@x.example", "REJECT", "suppressed:", "suppressed"],
        ]
        assert said.err == "bouncemx: left out 2 addresses that a Postfix table can't hold\n"

    def test_a_message_that_nobody_sent(self, bouncemx: Bouncemx) -> None:
        said = bouncemx("export", "resend", "--message", "m1@s.example")
        assert said.code == 2
        bouncemx("mint", "ann@x.example", "--message-id", "m1@s.example", "--account", "a")
        assert bouncemx("export", "resend", "--message", "m1@s.example", "--format", "jsonl").rows == []
        bouncemx("mint", "ann@x.example", "--message-id", "m1@s.example", "--account", "b")
        assert "--account" in bouncemx("export", "resend", "--message", "m1@s.example").err


class TestUnbounce:
    def test_one_and_its_trace(self, listed: Bouncemx) -> None:
        (row,) = listed("unbounce", "ANN@x.example", "--why", "mended", "--who", "eve", "--json").rows
        assert row == {"address": "ann@x.example", "account": "shop", "who": "eve", "why": "mended"}
        assert [each["address"] for each in listed("suppressions", "--json").rows] == ["bob@x.example"]
        assert listed("unbounce", "ann@x.example", "--why", "again").code == 2

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["--why", "x"], "name the addresses"),
            (["a@b", "--incident", "3", "--why", "x"], "not both"),
            (["a@b", "--global", "--account", "shop", "--why", "x"], "--global"),
            (["a@b", "--why", " "], "--why is empty"),
            (["a@b", "--account", "nobody", "--why", "x"], "no account 'nobody'"),
        ],
    )
    def test_what_it_cannot_do(self, listed: Bouncemx, words: list[str], told: str) -> None:
        said = listed("unbounce", *words)
        assert said.code == 2
        assert told in said.err

    def test_so_many_a_day(self, listed: Bouncemx, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BOUNCEMX_UNBOUNCE_PER_DAY", "1")
        said = listed("unbounce", "ann@x.example", "bob@x.example", "--why", "mended")
        assert said.code == 2
        assert "unbounce_per_day" in said.err
        assert len(listed("suppressions", "--json").rows) == 2


def test_erase_prints_its_certificate(listed: Bouncemx) -> None:
    (certificate,) = listed("erase", "ann@x.example", "--why", "her request", "--who", "eve").rows
    assert certificate["suppressions_kept_as_hash"] == 1
    assert [each["address"][:5] for each in listed("suppressions", "--json").rows] == ["hash:", "bob@x"]
    assert "ann@x" not in listed("export", "suppressions").text
    assert listed("unbounce", "ann@x.example", "--why", "she is back").code == 0
    assert listed("erasures", "Ann@x.example", "--json").rows == [certificate]
    assert listed("erasures", "bob@x.example", "--json").rows == []
