"""Captures judged again beside a server, by a process that is killed, and by the command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import server.cli
from storage import revision
from tests.integration.reclassify_fixture import (
    OWN,
    UNKNOWN,
    Bouncemx,
    Shop,
)


class TestBesideTheServer:
    def test_what_comes_in_meanwhile_is_left_alone(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(revision, "_PAGE", 1)
        for name in ("ann", "bob"):
            shop.bounce(f"{name}@x.example", UNKNOWN)
        tally = shop.reclassify(OWN, told=lambda captures: shop.bounce("new@x.example", UNKNOWN))
        assert tally.captures == 2
        assert set(shop.suppressed()) == {"new@x.example"}
        assert len(shop.bounced()) == 4

    def test_pages_are_bounded_by_their_octets(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(revision, "_PAGE_OCTETS", 1000)
        for _ in range(4):
            shop.bounce("ann@x.example", UNKNOWN)  # about 350 octets each
        shop.take("bounces@rp.example", b"Subject: long\r\n\r\n" + b"x" * 5000)
        pages: list[int] = []
        shop.reclassify(told=pages.append)
        assert pages == [2, 2, 1]


RUN = """
import sys
from pathlib import Path
from server import settings
from server.reclassify import compose
from storage import revision
revision._PAGE = 1
with compose(settings.load(Path(sys.argv[1])), [Path(sys.argv[2])]) as reclassifier:
    reclassifier.run(dry=False, told=lambda captures: (print("page", flush=True), sys.stdin.readline()))
"""


def test_kill_9_midway_leaves_it_whole_and_a_new_run_finishes(shop: Shop, tmp_path: Path) -> None:
    captures = [shop.bounce(f"{number}@x.example", UNKNOWN) for number in range(4)]
    (tmp_path / "own.toml").write_text(OWN)
    command = [sys.executable, "-c", RUN, str(shop.settings.data_dir), str(tmp_path / "own.toml")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"page\n"
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"page\n"
        process.kill()
    assert [each[2] for each in shop.bounced()] == ["sender_rejected"] * 2 + ["user_unknown"] * 2
    assert [capture for _, capture in shop.suppressed().values()] == captures[2:]
    tally = shop.reclassify(OWN)
    assert (tally.captures, tally.changed, tally.suppressions_removed) == (4, 2, 2)
    assert shop.suppressed() == {}


class TestCommand:
    @pytest.fixture
    def bouncemx(self, shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bouncemx:
        def run(*words: object) -> tuple[object, str, str]:
            folder = ["--data-dir", str(shop.settings.data_dir)]
            monkeypatch.setattr(sys, "argv", ["bouncemx", "reclassify", *map(str, words), *folder])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                server.cli.main()
            return ended.value.code, *capsys.readouterr()

        monkeypatch.setenv("COLUMNS", "100")
        return run

    def test_tells_what_changes(self, shop: Shop, tmp_path: Path, bouncemx: Bouncemx) -> None:
        (tmp_path / "own.toml").write_text(OWN)
        captures = [shop.bounce(f"{number}@x.example", UNKNOWN) for number in range(2)]
        before = shop.rows()
        code, out, err = bouncemx("--dry-run", "--rules", tmp_path / "own.toml")
        assert (code, err) == (0, "")
        assert out.startswith("Would change 2 verdicts, 2 suppressions (0 new, 2 gone) in 2 captures.\n")
        assert "sender_rejected, soft" in out
        assert shop.rows() == before
        code, out, err = bouncemx("--json", "--rules", tmp_path / "own.toml")
        (told,) = [json.loads(line) for line in out.splitlines()]
        assert (told["dry_run"], told["verdicts"], told["suppressions_removed"]) == (False, 2, 2)
        (change,) = told["changes"]
        assert change["after"] == {"reason": "sender_rejected", "type": "soft", "rule": "own.policy"}
        assert (change["verdicts"], change["capture"]) == (2, captures[0])
        assert shop.suppressed() == {}
        # the settings do not name the file: ours are put back
        assert bouncemx()[1].startswith("Changes 2 verdicts, 2 suppressions (2 new, 0 gone) in 2 captures.\n")
        assert bouncemx()[1].startswith("Changes 0 verdicts, 0 suppressions (0 new, 0 gone) in 2 captures.\n")

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[[rule]]\nid = 7\n", "own.toml: rule '7', id = "),
            ("[[rule", "own.toml: rule '', file = "),
            (None, "own.toml' does not exist"),
        ],
    )
    def test_a_rule_file_that_is_wrong(
        self, shop: Shop, tmp_path: Path, bouncemx: Bouncemx, text: str | None, told: str
    ) -> None:
        if text:
            (tmp_path / "own.toml").write_text(text)
        shop.bounce("ann@x.example", UNKNOWN)
        before = shop.rows()
        code, out, err = bouncemx("--rules", tmp_path / "own.toml")
        assert (code, out) == (2, "")
        assert told in " ".join(err.split())
        assert shop.rows() == before

    def test_a_file_that_the_settings_name_too_counts_once(
        self, shop: Shop, tmp_path: Path, bouncemx: Bouncemx
    ) -> None:
        (tmp_path / "own.toml").write_text(OWN)
        with (shop.settings.data_dir / "bouncemx.toml").open("a") as file:
            file.write(f"rules = [{json.dumps(str(tmp_path / 'own.toml'))}]\n")
        code, out, _ = bouncemx("--rules", tmp_path / "own.toml")
        assert (code, out.splitlines()[0].startswith("Changes 0 verdicts")) == (0, True)
