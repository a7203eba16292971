"""A listing is read a page at a time: whoever reads it slowly stands in nobody's way."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handlers.envelope import Envelope
from server import minting, settings
from server.cli.transactions import reading_on
from server.worker import compose
from storage import bounces, captures, journal, messages
from storage.database import FILE_NAME
from tests.integration.cli_fixture import Filled


@pytest.fixture
def folder(filled: Filled, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled.folder, tmp_path / "copy"))


def put(folder: Path, filled: Filled) -> int:
    """The notice once more; its capture."""
    loaded = settings.load(folder)
    envelope = Envelope("", (filled.minted["return_path"],), "mx.example", "192.0.2.7", datetime.now(UTC))
    with journal.Writer(loaded.journal) as writer:
        (position,) = writer.write([(envelope, filled.notice)])
    with compose(loaded) as worker:
        while worker.step():
            pass
    return position


@pytest.mark.parametrize("page", [1, 2, 3])
def test_what_comes_in_meanwhile_is_read_too(folder: Path, filled: Filled, page: int) -> None:
    rows = reading_on(
        settings.load(folder), lambda connection, last: captures.find(connection, captures.Filter(since=last)), page
    )
    found = [next(rows)["id"]] if page < 3 else []
    third = put(folder, filled)
    assert [*found, *(row["id"] for row in rows)] == [*filled.ids, third]


def test_between_two_rows_no_transaction_is_open(folder: Path, filled: Filled) -> None:
    """SQLite empties its log only where nobody reads from it."""
    rows = reading_on(
        settings.load(folder), lambda connection, last: captures.find(connection, captures.Filter(since=last)), 1
    )
    next(rows)
    put(folder, filled)
    with closing(sqlite3.connect(folder / FILE_NAME)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert len(list(rows)) == 2


def test_rows_that_nobody_made(folder: Path) -> None:
    found = reading_on(
        settings.load(folder),
        lambda connection, last: bounces.find(connection, bounces.Filter(address="nobody@x.example", since=last)),
        10,
    )
    assert list(found) == []


@pytest.mark.parametrize("page", [1, 2, 5])
def test_messages_come_once_each(folder: Path, page: int) -> None:
    loaded = settings.load(folder)
    for number in range(3):
        minting.mint(loaded, minting.Request((f"r{number}@x.example",), f"n{number}@sender.example"))
    whole = list(reading_on(loaded, messages.listing, 100))
    assert len(whole) == 4
    assert list(reading_on(loaded, messages.listing, page)) == whole
