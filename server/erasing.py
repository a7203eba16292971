"""Erases an address: reads all captures for it first, outside of the transaction that removes."""

from collections.abc import Callable
from typing import Any

from handlers.envelope import Mail
from handlers.tokens import Tokens
from server.settings import Settings
from storage import erasure, journal, revision, waiting
from storage.database import Database
from storage.erasure import Order, Read
from storage.keyring import KeyFile
from storage.naming import is_named, is_named_in_mail


def erase(db: Database, settings: Settings, order: Order, told: Callable[[int], object] = id) -> dict[str, Any]:
    """The certificate. `told` hears how many captures were read since. Raises DatabaseUnusable."""
    found: list[int] = []
    last = -1
    while read := _read(db, order, last):
        told(read.number)
        found += read.naming
        last = read.last
    in_journal = _in_journal(settings, order)
    with db.writer() as connection:
        waiting.share(connection)  # or a capture would be stored for a delivery that has just gone
        while read := erasure.read(connection, order, last):  # what was stored meanwhile
            found += read.naming
            last = read.last
        return erasure.erase(connection, order, found, in_journal)


def _read(db: Database, order: Order, after: int) -> Read | None:
    """Page by page, each in a transaction of its own: none stays open while millions are read."""
    with db.reader() as connection:
        return erasure.read(connection, order, after)


def extent(db: Database) -> int:
    """How many captures are to be read."""
    with db.reader() as connection:
        return revision.extent(connection)[0]


def _in_journal(settings: Settings, order: Order) -> list[int]:
    """The mails that name it and that the worker has not removed yet: it does, journal_keep_seconds after storing.

    For an account those at its return paths: it must not learn what others are sent.
    """
    if not settings.journal.is_dir():
        return []
    named = [frame for frame in journal.frames(settings.journal) if _names(frame.mail, order.address)]
    if named and order.account_id is not None:
        tokens = settings.tokens(KeyFile(settings.data_dir).ring).at_once()
        named = [frame for frame in named if _concerns(frame.mail, order.account_id, tokens)]
    return [frame.position for frame in named]


def _concerns(mail: Mail, account_id: int, tokens: Tokens) -> bool:
    found = [tokens.read(path) for path in mail.envelope.forward_paths]
    return any(each.token.account == account_id for each in found if each and each.accepted and each.token)


def _names(mail: Mail, address: str) -> bool:
    paths = [mail.envelope.reverse_path, *mail.envelope.forward_paths]
    return is_named(address, paths) or is_named_in_mail(address, mail.raw)
