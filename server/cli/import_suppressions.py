"""bouncemx import: addresses that are not to be mailed, from elsewhere."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir
from server.cli.people import Who

if TYPE_CHECKING:
    from storage.database import Database
    from storage.suppressions import Said

_BATCH = 2000  # in one transaction


def import_suppressions(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", exists=True, dir_okay=False, help="CSV, JSON Lines, or an address a line."),
    ],
    account: Annotated[str, typer.Option(metavar="NAME", help="For whom; made where it is missing.")] = "default",
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept.")] = "imported",
    who: Who = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Suppress the addresses of files for an account.

    A file with a line that can't be read is refused whole. Importing again changes nothing.
    """
    from server import addresses_file, settings
    from server.cli import people
    from server.cli.progress import progress
    from server.cli.transactions import opened

    loaded = settings.load(data_dir)
    total = sum(map(addresses_file.examine, paths))
    added = 0
    with opened(loaded) as db, progress("addresses", total, shown=True) as told:
        for path in paths:
            for batch in _batches(path):
                added += _add(db, account, batch, people.named(who), why)
                told(len(batch))
    print(f"{added} of {total} addresses are newly suppressed for {account}.")


def _batches(path: Path) -> "Iterator[list[Said]]":
    from server import addresses_file
    from storage.suppressions import Said

    found = (each for each in addresses_file.read(path) if isinstance(each, Said))
    while batch := list(islice(found, _BATCH)):
        yield batch


def _add(db: "Database", account: str, batch: "list[Said]", who: str, why: str) -> int:
    from handlers.effects import Source
    from server.settings import UserError
    from storage import accounts, suppressions

    with db.writer() as connection:
        try:
            key = accounts.ensure(connection, account).id
        except ValueError as error:
            raise UserError(str(error)) from None
        now = datetime.now(UTC)
        return suppressions.add(connection, key, batch, now=now, who=who, why=why, source=Source.IMPORT)
