"""bouncemx erase: removes everything about an address, and tells what that was."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from server.cli.people import OneAccount, Who, Why


def erase(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose everything goes.")],
    why: Why,
    account: OneAccount = "",
    who: Who = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Remove everything about an address; that it must not be mailed stays, as a keyed hash.

    Prints a certificate, JSON: what was removed, when, by whom and why.
    """
    from server import erasing, settings
    from server.cli import people
    from server.cli.output import print_lines
    from server.cli.progress import progress
    from server.cli.transactions import opened
    from server.settings import UserError
    from storage.erasure import Order

    if "@" not in address:
        raise UserError(f"{address!r}: give an address such as ann@example.com")
    loaded = settings.load(data_dir)
    with opened(loaded) as db:
        with db.reader() as connection:
            whose = people.account_id(connection, account)
        order = Order(address, whose, people.named(who), people.checked(why), datetime.now(UTC))
        with progress("captures", erasing.extent(db), shown=True) as told:
            certificate = erasing.erase(db, loaded, order, told)
    print_lines([certificate], json=True, plain=str)


def erasures(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose certificates.")],
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Show the certificates of an address that was erased."""
    from server import settings
    from server.cli.output import fields, print_table
    from server.cli.transactions import reading
    from storage import erasure

    with reading(settings.load(data_dir)) as connection:
        found = erasure.certificates(connection, address)
        print_table(found, json=json, columns=fields("at", "account", "who", "why", "removed"))
