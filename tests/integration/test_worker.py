"""The worker on a real journal and a real database: each mail once, whatever happens in between."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from sqlalchemy import text

from handlers import pipeline
from handlers.authenticated import Authenticated
from handlers.classify import Classifier
from handlers.envelope import Envelope, Mail
from handlers.outcome import Outcome
from handlers.pipeline import Ports, Reading
from handlers.ports import Ledger, Said, Unreadable
from handlers.words import Profile
from server import minting, worker
from server.reading import BoundedReader, ReaderMissing
from server.rulebook import classifier
from server.settings import Settings
from server.worker import Worker, compose
from storage import bounces, captures, journal, positions, suppressions
from storage.database import Database, DatabaseUnusable
from storage.keyring import KeyFile
from tests.integration.database_fixture import migrated
from tests.integration.odd_readers import as_obedient
from tests.plain_reader import PlainReader


@cache
def rules() -> Classifier:
    """Loading them takes most of the time of a test."""
    return classifier((), Profile.HUBSPOT)


class Bench:
    """A data folder with a journal, a database and what the worker is made of."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            data_dir=folder, return_path_domain="rp.example", authenticate=False, journal_keep_seconds=0
        )
        self.database = Database(migrated(folder), checkpoints=True)
        self.ports = Ports(
            authenticate=lambda mails: [Authenticated(mail.raw, {"spf": "none"}) for mail in mails],
            reader=PlainReader(rules()),
            tokens=self.settings.tokens(KeyFile(folder).ring),
        )

    def write(self, *mails: bytes | tuple[str, bytes], segment_octets: int = journal.SEGMENT_OCTETS) -> list[int]:
        """Each as a batch of its own, so that small segments are full after one."""
        with journal.Writer(self.settings.journal, segment_octets) as writer:
            return [writer.write([_enveloped(each)])[0] for each in mails]

    @contextmanager
    def worker(self, **ports: Any) -> Iterator[Worker]:
        for name, value in ports.items():
            self.ports = Ports(**{**{each: getattr(self.ports, each) for each in Ports.__slots__}, name: value})
        made = Worker(self.settings, self.database, self.ports)
        try:
            yield made
        finally:
            made.close()

    def stored(self) -> list[dict[str, Any]]:
        with self.database.reader() as connection:
            return list(captures.find(connection, captures.Filter(), raw=True))

    def ids(self) -> list[int]:
        return [each["id"] for each in self.stored()]

    def position(self) -> int | None:
        with self.database.reader() as connection:
            return positions.get(connection, worker.CONSUMER)

    def segments(self) -> int:
        return len(journal.segments(self.settings.journal))


def _enveloped(mail: bytes | tuple[str, bytes]) -> tuple[Envelope, bytes]:
    to, raw = mail if isinstance(mail, tuple) else ("bounces@rp.example", mail)
    return Envelope("", (to,), "mx.example", "192.0.2.7", datetime(2026, 3, 4, tzinfo=UTC)), raw


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.database.close()


def run_dry(worker: Worker) -> list[int]:
    """What each step stored, until nothing is left."""
    return list(iter(worker.step, 0))


def plain(number: int) -> bytes:
    return b"Subject: %d\r\n\r\nbody\r\n" % number


def notice(recipient: str) -> bytes:
    lines = f"""\
        From: mailer-daemon@mx.example
        Subject: Undelivered
        Content-Type: multipart/report; report-type=delivery-status; boundary=b

        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example

        Final-Recipient: rfc822; {recipient}
        Action: failed
        Status: 5.1.1
        Diagnostic-Code: smtp; 550 5.1.1 <{recipient}>: User unknown

        --b--
        """
    return dedent(lines).replace("\n", "\r\n").encode()


def test_a_bounce_is_captured_with_everything(bench: Bench) -> None:
    minted = minting.mint(bench.settings, minting.Request(("ann@x.example",), "m1@sender.example", subject="News"))[0]
    raw = notice("ann@x.example") + b"\xff\x00"
    (position,) = bench.write((minted["return_path"], raw))
    with bench.worker() as worker:
        assert worker.step() == 1
        assert worker.step() == 0
    (capture,) = bench.stored()
    assert (capture["id"], capture["kind"], capture["detectability"]) == (position, "failure", "matched")
    assert capture["envelope"]["forward_paths"] == [minted["return_path"]]
    assert (capture["received_at"], capture["authentication"]) == ("2026-03-04T00:00:00+00:00", {"spf": "none"})
    assert capture["message"]["message_id"] == "<m1@sender.example>"
    assert capture["raw"].encode("latin-1") == raw
    with bench.database.reader() as connection:
        bounced = [
            (each["address"], each["type"], each["capture"]) for each in bounces.find(connection, bounces.Filter())
        ]
        suppressed = [(each["address"], each["capture"]) for each in suppressions.listing(connection)]
    assert bounced == [("ann@x.example", "hard", position)]
    assert suppressed == [("ann@x.example", position)]


def test_mails_are_stored_in_batches(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_BATCH", 3)
    written = bench.write(*map(plain, range(7)))
    with bench.worker() as running:
        assert run_dry(running) == [3, 3, 1]
        assert bench.ids() == written
        more = bench.write(plain(7))
        assert run_dry(running) == [1]
    assert bench.ids() == written + more


def test_a_replay_from_an_older_position_stores_nothing_twice(bench: Bench) -> None:
    minted = minting.mint(bench.settings, minting.Request(("ann@x.example",)))[0]
    written = bench.write((minted["return_path"], notice("ann@x.example")), plain(1), plain(2))
    with bench.worker() as running:
        run_dry(running)
    for position in (0, written[1]):
        with bench.database.writer() as connection:
            positions.put(connection, worker.CONSUMER, position)
        with bench.worker() as running:
            run_dry(running)
    assert bench.ids() == written
    with bench.database.reader() as connection:
        assert len(list(bounces.find(connection, bounces.Filter()))) == 1


def test_a_mail_that_brings_the_reader_down_is_held_and_the_next_go_on(bench: Bench) -> None:
    mails = [plain(0), b"X-Test: loop\r\n\r\n", plain(1), b"X-Test: die\r\n\r\n", b"X-Test: eat\r\n\r\n", plain(2)]
    bench.write(*mails)
    reader = BoundedReader(2, 1 << 30, as_obedient)
    with bench.worker(reader=reader) as running:
        assert run_dry(running) == [6]
    reader.close()
    assert [each["held"] for each in bench.stored()] == [
        None,
        "reading it took longer than 2 seconds",
        None,
        "reading it brought the reader down",
        "reading it took more memory than allowed",
        None,
    ]
    assert [each["raw"].encode() for each in bench.stored()] == mails
    assert [each["subject"] for each in bench.stored()] == ["0", "", "1", "", "", "2"]


def failing(raw: bytes, times: int) -> Callable[[Sequence[Mail]], list[Authenticated]]:
    """The step authenticate with a fault that shows so many times for this mail."""
    left = [times]

    def authenticate(mails: Sequence[Mail]) -> list[Authenticated]:
        if left[0] and any(mail.raw == raw for mail in mails):
            left[0] -= 1
            raise RuntimeError("a fault of ours")
        return [Authenticated(mail.raw) for mail in mails]

    return authenticate


@pytest.mark.parametrize(("times", "held"), [(worker.TRIES, False), (worker.TRIES + 1, True)])
def test_a_fault_of_ours_while_reading_is_tried_again_then_held(bench: Bench, times: int, held: bool) -> None:
    """Once for the batch, then for the mail alone."""
    bench.write(plain(0), plain(1), plain(2))
    with bench.worker(authenticate=failing(plain(1), times)) as running:
        assert run_dry(running) == [3]
    told = [each["held"] for each in bench.stored()]
    assert told == [None, "reading it failed 3 times; the log of the worker says why" if held else None, None]
    assert bench.stored()[1]["raw"].encode() == plain(1)


@pytest.mark.parametrize(("times", "held"), [(worker.TRIES, False), (worker.TRIES + 1, True)])
def test_a_fault_of_ours_while_storing_is_tried_again_then_held(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, times: int, held: bool
) -> None:
    """Once for the batch, then for the mail alone."""
    left = [times]
    conclude = pipeline.conclude

    def broken(reading: Reading | Outcome, ports: Ports, ledger: Ledger) -> Outcome:
        if reading.mail.raw == plain(1) and not isinstance(reading, Outcome) and left[0]:
            left[0] -= 1
            raise KeyError("a fault of ours")
        return conclude(reading, ports, ledger)

    monkeypatch.setattr(pipeline, "conclude", broken)
    written = bench.write(plain(0), plain(1), plain(2))
    with bench.worker() as running:
        assert run_dry(running) == [3]
    assert bench.ids() == written
    told = [each["held"] for each in bench.stored()]
    assert told == [None, "storing it failed 3 times; the log of the worker says why" if held else None, None]
    assert bench.position() == running._reader.position


def test_a_database_that_is_away_stores_nothing_and_later_everything(bench: Bench, tmp_path: Path) -> None:
    written = bench.write(*map(plain, range(3)))
    path = tmp_path / "bouncemx.db"
    with bench.worker() as running:
        bench.database.close()
        path.rename(tmp_path / "away.db")
        for _ in range(2):
            with pytest.raises(DatabaseUnusable, match="unable to open"):
                running.step()
        assert not path.exists()
        bench.write(plain(3))
        (tmp_path / "away.db").rename(path)
        assert bench.position() is None
        assert run_dry(running) == [4]
    assert bench.ids()[:3] == written
    assert len(bench.ids()) == 4


def test_a_database_that_comes_back_without_its_last_commits_gets_them_again(bench: Bench, tmp_path: Path) -> None:
    """As a replica does that was a moment behind, or a copy that was put back."""
    path = tmp_path / "bouncemx.db"
    bench.settings = bench.settings.model_copy(update={"journal_keep_seconds": 60})
    with bench.worker() as running:
        written = bench.write(*map(plain, range(2)), segment_octets=1)
        run_dry(running)
        bench.database.close()
        shutil.copy(path, tmp_path / "behind.db")
        written += bench.write(*map(plain, range(2, 5)), segment_octets=1)
        run_dry(running)
        bench.database.close()
        path.unlink()
        bench.write(plain(5))
        with pytest.raises(DatabaseUnusable):
            running.step()
        (tmp_path / "behind.db").rename(path)
        run_dry(running)
    assert bench.ids()[:5] == written
    assert len(bench.ids()) == 6


def test_a_table_that_is_gone_is_no_mails_fault(bench: Bench) -> None:
    bench.write(plain(0))
    with bench.worker() as running:
        with bench.database.writer() as connection:
            connection.execute(text("ALTER TABLE bounce RENAME TO elsewhere"))
            connection.execute(text("ALTER TABLE capture RENAME TO gone"))
        with pytest.raises(DatabaseUnusable, match="no such table"):
            running.step()
        with bench.database.writer() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO capture"))
            connection.execute(text("ALTER TABLE elsewhere RENAME TO bounce"))
        assert running.step() == 1
    assert [each["held"] for each in bench.stored()] == [None]


@pytest.mark.parametrize("fault", ["SELECT json('{')", "SELECT abs(-9223372036854775807 - 1)"])
def test_a_fault_in_our_sql_holds_the_mail_and_no_other(bench: Bench, fault: str) -> None:
    """The driver calls it by the same name as a disk that is full."""
    bench.write(*map(plain, range(3)))
    with bench.worker() as running:
        with bench.database.writer() as connection:
            ours = f"AFTER INSERT ON capture WHEN NEW.subject LIKE '%1%' AND NEW.held IS NULL BEGIN {fault}; END"
            connection.execute(text(f"CREATE TRIGGER ours {ours}"))
        assert run_dry(running) == [3]
    assert [bool(each["held"]) for each in bench.stored()].count(True) == 1


def test_a_fault_of_ours_in_what_time_brings_stops_no_mail(bench: Bench) -> None:
    with bench.worker() as running:
        with bench.database.writer() as connection:
            connection.execute(text("ALTER TABLE suppression RENAME COLUMN held_until TO elsewhere"))
        bench.write(*map(plain, range(2)))
        assert run_dry(running) == [2]


def test_without_a_reader_the_journal_waits(bench: Bench) -> None:
    class MissingReader(PlainReader):
        missing = True

        def one(self, mail: Mail) -> Said | Unreadable:
            if self.missing:
                raise ReaderMissing("no process left")
            return super().one(mail)

    reader = MissingReader(rules())
    written = bench.write(*map(plain, range(3)))
    with bench.worker(reader=reader) as running:
        for _ in range(2):
            with pytest.raises(ReaderMissing):
                running.step()
        reader.missing = False
        assert run_dry(running) == [3]
    assert (bench.ids(), {each["held"] for each in bench.stored()}) == (written, {None})


def test_what_is_stored_leaves_the_journal(bench: Bench) -> None:
    bench.write(*map(plain, range(5)), segment_octets=1)
    assert bench.segments() == 5
    with bench.worker() as running:
        run_dry(running)
    assert (bench.segments(), len(bench.ids())) == (1, 5)


def test_a_journal_that_cannot_be_cleared_stops_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(journal.Reader, "remove_consumed", refused)
    bench.write(*map(plain, range(3)), segment_octets=1)
    with bench.worker() as running:
        assert sum(run_dry(running)) == 3


def test_composed_it_reads_as_the_settings_say(bench: Bench) -> None:
    """separate_notices = "flag": a return path alone ties no separate e-mail."""
    minted = minting.mint(bench.settings, minting.Request(("ann@x.example",)))[0]
    separate = b"From: postmaster@gw.example\r\nSubject: Undeliverable mail\r\n\r\n<ann@x.example>: user unknown\r\n"
    bench.write((minted["return_path"], separate))
    with compose(bench.settings.model_copy(update={"separate_notices": "flag"})) as running:
        assert running.step() == 1
    (capture,) = bench.stored()
    assert (capture["kind"], capture["detectability"]) == ("failure", "undetectable")
    assert (capture["authentication"], capture["links"][0]["state"]) == ({}, "valid")


ENDLESS = """
import sys
from pathlib import Path
from server import worker
from server.settings import Settings
worker._BATCH = 4
settings = Settings(data_dir=Path(sys.argv[1]), return_path_domain="rp.example", authenticate=False)
with worker.compose(settings) as running:
    while stored := running.step():
        print(stored, flush=True)
"""


def test_kill_9_between_batches_loses_nothing_and_stores_nothing_twice(bench: Bench) -> None:
    minted = minting.mint(bench.settings, minting.Request(("ann@x.example",)))[0]
    written = bench.write(*((minted["return_path"], notice("ann@x.example")) for _ in range(40)), segment_octets=4000)
    for batches in (1, 2):
        command = [sys.executable, "-c", ENDLESS, str(bench.settings.data_dir)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(batches)]
            process.kill()
        assert told == [b"4\n"] * batches
    subprocess.run([sys.executable, "-c", ENDLESS, bench.settings.data_dir], check=True, capture_output=True)
    assert bench.ids() == written
    with bench.database.reader() as connection:
        assert [each["capture"] for each in bounces.find(connection, bounces.Filter())] == written
