"""Erases an address: reads all captures for it first, outside of the transaction that removes."""

from collections.abc import Callable
from typing import Any

from handlers.envelope import Mail
from server.settings import Settings
from storage import erasure, journal, revision
from storage.database import Database
from storage.erasure import Order


def erase(db: Database, settings: Settings, order: Order, told: Callable[[int], object] = id) -> dict[str, Any]:
    """The certificate. `told` hears how many captures were read since. Raises DatabaseUnusable."""
    with db.reader() as connection:
        found = list(erasure.captures_naming(connection, order, told))
    in_journal = _in_journal(settings, order)
    with db.writer() as connection:
        return erasure.erase(connection, order, found, in_journal)


def extent(db: Database) -> int:
    """How many captures are to be read."""
    with db.reader() as connection:
        return revision.extent(connection)[0]


def _in_journal(settings: Settings, order: Order) -> list[int]:
    """The mails that name it and that the worker has not removed yet: it does, journal_keep_seconds after storing."""
    if not settings.journal.is_dir():
        return []
    pattern = erasure.naming(order.address)
    return [frame.position for frame in journal.frames(settings.journal) if pattern.search(_said(frame.mail).lower())]


def _said(mail: Mail) -> bytes:
    paths = " ".join((mail.envelope.reverse_path, *mail.envelope.forward_paths))
    return paths.encode(errors="replace") + b"\n" + mail.raw
