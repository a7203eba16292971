"""Captures judged again: what changes, what stays, and that it can be interrupted and repeated."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import URL, select

import server.cli
from handlers import pipeline, verp
from handlers.classify import Classifier
from handlers.envelope import Envelope, Mail
from handlers.keys import account_key
from handlers.outcome import Suppression
from handlers.parse import parse
from handlers.pipeline import Ports
from handlers.ports import ParserDied
from handlers.report import Report
from handlers.words import BounceType, Category, Profile, Reason
from server import minting
from server.parsing import ParserMissing
from server.reclassify import Change, Judged, Reclassifier, Tally
from server.rulebook import classifier
from server.settings import Settings
from storage import accounts, revision, suppressions, tables
from storage.database import Database
from storage.keyring import KeyFile
from storage.ledger import Ledger
from storage.store import store

Bouncemx = Callable[..., tuple[object, str, str]]
GOLDEN = sorted((Path(__file__).parents[1] / "corpus").glob("*/*.eml"))
NOW = datetime.now(UTC).replace(microsecond=0)
UNKNOWN, GONE, FULL = "550 5.1.1 User unknown", "550 5.1.1 No such user here", "552 5.2.2 Mailbox is full"
POLICY = """
[[rule]]
id = "own.policy"
reason = "policy_rejected"
match = "user unknown"
example = "550 5.1.1 user unknown"
"""
DEAD = """
[[rule]]
id = "own.dead"
reason = "user_unknown"
match = "mailbox is full"
permanence = "permanent"
example = "552 mailbox is full"
"""
SPAM = """
[[rule]]
id = "own.spam"
reason = "spam_content"
match = "no such user"
example = "550 5.1.1 no such user here"
"""
OWN = POLICY + DEAD


class RealParser:
    def parse(self, raw: bytes, reverse_path: str) -> Report:
        return parse(raw, reverse_path)


@cache
def rules(*texts: str) -> Classifier:
    """Ours, behind a file with each of these."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.toml" for number, _ in enumerate(texts)]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        return classifier(files, Profile.HUBSPOT)


class Shop:
    """A data folder whose captures were judged by our rules."""

    def __init__(self, folder: Path, url: URL, database: Database) -> None:
        self.database = database
        written = url.render_as_string(hide_password=False)
        folder.mkdir()
        (folder / "bouncemx.toml").write_text(
            f'return_path_domain = "rp.example"\nauthenticate = false\ndatabase_url = {json.dumps(written)}\n'
        )
        self.settings = Settings(data_dir=folder)
        self.ports = Ports(
            authenticate=lambda mail: {"spf": "pass"},
            parser=RealParser(),
            classifier=rules(),
            tokens=self.settings.tokens(KeyFile(folder).ring),
        )
        self.position = 0

    def mint(self, recipient: str) -> str:
        return str(minting.mint(self.settings, minting.Request((recipient,)))[0]["return_path"])

    def take(self, to: str, raw: bytes, *, held: str | None = None, at: datetime = NOW) -> int:
        """What the worker does with one mail."""
        self.position += len(raw) + 1
        mail = Mail(self.position, Envelope("", (to,), "mx.example", "192.0.2.7", at), raw)
        with self.database.writer() as connection:
            ledger = Ledger(connection)
            outcome = pipeline.held(mail, held) if held else pipeline.handle(mail, self.ports, ledger)
            store(connection, [outcome], "worker", self.position)
        return self.position

    def bounce(self, recipient: str, reply: str, **how: Any) -> int:
        return self.take(self.mint(recipient), notice(recipient, reply), **how)

    def reclassify(self, *own: str, dry: bool = False, told: Callable[[int], object] = id, **ports: Any) -> Tally:
        reclassifier = Reclassifier(self.database, replace(self.ports, classifier=rules(*own), **ports))
        try:
            return reclassifier.run(dry=dry, told=told)
        finally:
            reclassifier.close()

    def rows(self) -> dict[str, list[Any]]:
        """Everything, of every table."""
        found = (tables.account, tables.message, tables.delivery, tables.capture, tables.bounce, tables.suppression)
        with self.database.reader() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(select(table).order_by(table.c.id))]
                for table in found
            }

    def suppressed(self) -> dict[str, tuple[str, int | None]]:
        with self.database.reader() as connection:
            return {each["address"]: (each["reason"], each["capture"]) for each in suppressions.listing(connection)}

    def bounced(self) -> list[tuple[str, str, str, str]]:
        with self.database.reader() as connection:
            found = connection.execute(select(tables.bounce).order_by(tables.bounce.c.id)).mappings()
            return [(each["address"], each["type"], each["reason"], each["rule"]) for each in found]

    def captured(self, *names: str) -> list[tuple[Any, ...]]:
        with self.database.reader() as connection:
            columns = [tables.capture.c[name] for name in names]
            return [tuple(row) for row in connection.execute(select(*columns).order_by(tables.capture.c.id))]


@pytest.fixture
def shop(tmp_path: Path, url: URL, database: Database) -> Shop:
    return Shop(tmp_path / "data", url, database)


def notice(recipient: str, reply: str) -> bytes:
    status = reply.split()[1]
    lines = f"""From: mailer-daemon@mx.example
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {recipient}
Action: failed
Status: {status}
Diagnostic-Code: smtp; {reply}

--b--
"""
    return lines.replace("\n", "\r\n").encode()


def test_unchanged_rules_change_nothing(shop: Shop) -> None:
    """Every golden mail, as what came to the return path of one recipient."""
    to = shop.mint("ann@x.example")
    for path in GOLDEN:
        shop.take(to, path.read_bytes())
    shop.bounce("bob@x.example", UNKNOWN)
    shop.take("b\udcff+\x00@rp.example", b"Subject: \xff\x00 \xed\xa0\x80\r\n\r\n\\u0000\x00\r\n")
    before = shop.rows()
    assert len(before["suppression"]) >= 1
    tally = shop.reclassify()
    assert (tally.captures, tally.changed, tally.unread) == (len(GOLDEN) + 2, 0, 0)
    assert shop.rows() == before


class TestOwnRules:
    @pytest.fixture
    def captures(self, shop: Shop) -> list[int]:
        return [shop.bounce(f"{name}@x.example", reply) for name, reply in
                [("ann", UNKNOWN), ("bob", FULL), ("cid", GONE), ("dee", UNKNOWN)]]  # fmt: skip

    def test_change_verdicts_and_suppressions(self, shop: Shop, captures: list[int]) -> None:
        before = shop.rows()
        assert set(shop.suppressed()) == {"ann@x.example", "cid@x.example", "dee@x.example"}
        tally = shop.reclassify(OWN)
        assert [(each[0], *each[1:]) for each in shop.bounced() if each[3].startswith("own.")] == [
            ("ann@x.example", "hard", "policy_rejected", "own.policy"),
            ("bob@x.example", "hard", "user_unknown", "own.dead"),
            ("dee@x.example", "hard", "policy_rejected", "own.policy"),
        ]
        assert shop.suppressed() == {
            "cid@x.example": ("user_unknown", captures[2]),
            "bob@x.example": ("user_unknown", captures[1]),
        }
        told = [[each["rule"] for each in recipients] for (recipients,) in shop.captured("recipients")]
        assert [each[0] for each in told if each[0].startswith("own.")] == ["own.policy", "own.dead", "own.policy"]
        assert (tally.captures, tally.changed, tally.verdicts.total()) == (4, 3, 3)
        assert (tally.suppressions_added, tally.suppressions_removed, tally.suppressions_changed) == (1, 2, 0)
        ((change, number),) = tally.verdicts.most_common(1)
        assert (change.after, number, tally.examples[change]) == (
            Judged("policy_rejected", "hard", "own.policy"),
            2,
            captures[0],
        )
        after = shop.rows()
        kept = [[(row[0], row[-1]) for row in rows["bounce"]] for rows in (before, after)]
        assert kept[0] == kept[1]  # ids and times: nobody is told of them again
        assert shop.captured("authentication") == [({"spf": "pass"},)] * 4

    def test_a_second_run_changes_nothing_and_ours_again_restore(self, shop: Shop, captures: list[int]) -> None:
        bounces, suppressed = shop.rows()["bounce"], shop.suppressed()
        shop.reclassify(OWN)
        after = shop.rows()
        assert shop.reclassify(OWN).changed == 0
        assert shop.rows() == after
        back = shop.reclassify()
        assert (back.changed, back.suppressions_added, back.suppressions_removed) == (3, 2, 1)
        assert (shop.rows()["bounce"], shop.suppressed()) == (bounces, suppressed)

    def test_a_dry_run_tells_the_same_and_does_nothing(self, shop: Shop, captures: list[int]) -> None:
        for _ in range(2):  # others that say the same, on either side of it
            shop.bounce("ann@x.example", GONE)
            shop.bounce("eve@x.example", UNKNOWN)
            shop.bounce("eve@x.example", FULL)
        before = shop.rows()
        told = shop.reclassify(OWN, SPAM, dry=True)
        assert shop.rows() == before
        assert told == shop.reclassify(OWN, SPAM)
        assert shop.rows() != before
        assert set(shop.suppressed()) == {"bob@x.example", "eve@x.example"}


class TestSuppressions:
    def test_another_capture_takes_one_over(self, shop: Shop) -> None:
        first = shop.bounce("ann@x.example", UNKNOWN)
        second = shop.bounce("Ann@x.example", GONE, at=NOW + timedelta(hours=1))
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", first)}
        tally = shop.reclassify(OWN)
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", second)}
        assert tally.suppressions == 0
        with shop.database.reader() as connection:
            assert [each["since"] for each in suppressions.listing(connection)] == [
                (NOW + timedelta(hours=1)).isoformat()
            ]
        assert shop.reclassify(OWN, SPAM).suppressions_removed == 1
        assert shop.suppressed() == {}

    @pytest.mark.parametrize("page", [1, 2, 100])
    def test_pages_do_not_matter(self, shop: Shop, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
        monkeypatch.setattr(revision, "_PAGE", page)
        captures = [shop.bounce("ann@x.example", reply) for reply in (UNKNOWN, GONE, UNKNOWN, GONE, FULL)]
        told = shop.reclassify(OWN, dry=True)
        assert told == shop.reclassify(OWN)
        assert (told.captures, told.verdicts.total(), told.suppressions) == (5, 3, 0)
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", captures[1])}
        told = shop.reclassify(POLICY, SPAM, dry=True)
        assert told == shop.reclassify(POLICY, SPAM)
        assert shop.suppressed() == {}

    def test_what_a_person_said_stays(self, shop: Shop) -> None:
        with shop.database.writer() as connection:
            account = accounts.ensure(connection, "default")
            new = Suppression("ann@x.example", account, BounceType.HARD, Category.UNKNOWN_USER, Reason.SUPPRESSED)
            suppressions.add(connection, new, NOW)
        shop.bounce("ann@x.example", UNKNOWN)
        for own in ((OWN,), ()):
            assert shop.reclassify(*own).suppressions == 0
            assert shop.suppressed() == {"ann@x.example": ("suppressed", None)}

    def test_what_a_person_took_back_does_not_return(self, shop: Shop) -> None:
        shop.bounce("ann@x.example", UNKNOWN)
        with shop.database.writer() as connection:
            assert suppressions.remove(connection, "ann@x.example", "default")
        assert shop.reclassify().suppressions == 0
        assert shop.suppressed() == {}

    def test_one_that_does_not_follow_any_more_goes_though_its_verdict_stays(self, shop: Shop) -> None:
        """As when what follows from a verdict was changed."""
        capture = shop.bounce("ann@x.example", FULL)
        with shop.database.writer() as connection:
            account = accounts.ensure(connection, "default")
            new = Suppression("ann@x.example", account, BounceType.HARD, Category.UNKNOWN_USER, Reason.USER_UNKNOWN)
            suppressions.add(connection, new, NOW, capture)
        assert shop.reclassify(dry=True).suppressions_removed == 1
        assert shop.reclassify().suppressions_removed == 1
        assert shop.suppressed() == {}

    def test_its_reason_follows_the_verdict(self, shop: Shop) -> None:
        capture = shop.bounce("ann@x.example", UNKNOWN)
        tally = shop.reclassify(OWN.replace("policy_rejected", "mailbox_disabled"))
        assert (tally.suppressions_changed, tally.suppressions) == (1, 1)
        assert shop.suppressed() == {"ann@x.example": ("mailbox_disabled", capture)}


class TestWhatIsReadAgain:
    def test_held_captures_are_tried_again(self, shop: Shop) -> None:
        capture = shop.bounce("ann@x.example", UNKNOWN, held="reading it took longer than 10 seconds")
        assert shop.captured("kind", "held") == [("other", "reading it took longer than 10 seconds")]
        assert shop.bounced() == []
        tally = shop.reclassify()
        assert (tally.no_longer_held, tally.kinds, tally.detectability, tally.suppressions_added) == (1, 1, 1, 1)
        assert list(tally.verdicts) == [Change(None, Judged("user_unknown", "hard", shop.bounced()[0][3]))]
        assert shop.captured("kind", "detectability", "held", "faults") == [("failure", "matched", None, [])]
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", capture)}

    @pytest.mark.parametrize("fault", [ParserDied("too slow"), ValueError("a fault of ours")])
    def test_what_cannot_be_read_now_keeps_what_it_has(self, shop: Shop, fault: Exception) -> None:
        class FailingParser(RealParser):
            def parse(self, raw: bytes, reverse_path: str) -> Report:
                if b"ann@" in raw:
                    raise fault
                return super().parse(raw, reverse_path)

        shop.bounce("ann@x.example", UNKNOWN)
        shop.bounce("bob@x.example", UNKNOWN)
        tally = shop.reclassify(OWN, parser=FailingParser())
        assert (tally.captures, tally.changed, tally.unread) == (2, 1, 1)
        assert set(shop.suppressed()) == {"ann@x.example"}

    def test_without_a_parser_nothing_is_done(self, shop: Shop) -> None:
        class MissingParser:
            def parse(self, raw: bytes, reverse_path: str) -> Report:
                raise ParserMissing("no process left")

        shop.bounce("ann@x.example", UNKNOWN)
        before = shop.rows()
        with pytest.raises(ParserMissing):
            shop.reclassify(OWN, parser=MissingParser())
        assert shop.rows() == before

    def test_what_is_known_to_be_ours_by_now_is_matched(self, shop: Shop) -> None:
        original = b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <m1@s.example>\r\n\r\n--b--"
        shop.take("bounces@rp.example", notice("ann@x.example", UNKNOWN).replace(b"--b--", original))
        assert shop.captured("detectability") == [("unmatched",)]
        minting.mint(shop.settings, minting.Request(("ann@x.example",), "<m1@s.example>"))
        tally = shop.reclassify()
        assert (tally.detectability, tally.verdicts.total(), tally.suppressions_added) == (1, 0, 1)
        assert shop.captured("detectability") == [("matched",)]
        assert [each[0] for each in shop.bounced()] == ["ann@x.example"]

    @pytest.mark.parametrize("change", ["years", "keys", "domain"])
    def test_a_token_that_was_good_then_stays_good(self, shop: Shop, change: str) -> None:
        shop.bounce("ann@x.example", UNKNOWN)
        with shop.database.reader() as connection:
            account = accounts.find(connection, "default")
        assert account is not None
        key = account_key(KeyFile(shop.settings.data_dir).ring(), account.id)
        unregistered = verp.mint(key, "rp.example", "bob@x.example", NOW.date())
        shop.take(f"{unregistered}@rp.example", notice("bob@x.example", UNKNOWN))
        before = shop.rows()
        assert len(before["bounce"]) == len(before["suppression"]) == 2
        tokens = shop.ports.tokens
        if change == "years":
            tokens = replace(tokens, today=lambda: NOW.date() + timedelta(days=5000))
        elif change == "keys":
            (shop.settings.data_dir / "keys.json").unlink()
            tokens = replace(tokens, ring=KeyFile(shop.settings.data_dir).ring)
        else:
            tokens = replace(tokens, domain="other.example")
        assert shop.reclassify(tokens=tokens).changed == 0
        assert shop.rows() == before
        assert shop.reclassify(OWN, tokens=tokens).suppressions_removed == 2

    def test_a_forged_token_proves_nothing_again(self, shop: Shop) -> None:
        to = shop.mint("ann@x.example")
        shop.take(
            ("b" + "a" * 35 if to[1] != "a" else "b" + "c" * 35) + "@rp.example", notice("ann@x.example", UNKNOWN)
        )
        assert shop.captured("detectability") == [("unmatched",)]
        assert shop.reclassify().changed == 0


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
    assert [each[2] for each in shop.bounced()] == ["policy_rejected"] * 2 + ["user_unknown"] * 2
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
        assert "policy_rejected, hard" in out
        assert shop.rows() == before
        code, out, err = bouncemx("--json", "--rules", tmp_path / "own.toml")
        (told,) = [json.loads(line) for line in out.splitlines()]
        assert (told["dry_run"], told["verdicts"], told["suppressions_removed"]) == (False, 2, 2)
        (change,) = told["changes"]
        assert change["after"] == {"reason": "policy_rejected", "type": "hard", "rule": "own.policy"}
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
