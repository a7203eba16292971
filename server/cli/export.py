"""bouncemx export: lists for other programs."""

import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from server import exports
from server.cli.options import DEFAULT_DATA_DIR, DataDir

app = typer.Typer(help="Lists for other programs.", no_args_is_help=True)
_OneAccount = Annotated[str, typer.Option("--account", metavar="NAME", help="What holds for this account.")]


class Table(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSONL = "jsonl"


@app.command("suppressions")
def suppressions(
    table: Annotated[
        exports.Format, typer.Option("--format", metavar="FORMAT", help="csv, jsonl or postfix (an access map).")
    ] = exports.Format.CSV,
    account: _OneAccount = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The addresses not to mail, that hold now."""
    from server import settings
    from server.cli import people
    from server.cli.transactions import reading
    from storage import hashing
    from storage import suppressions as stored

    with reading(settings.load(data_dir)) as connection:
        people.account_id(connection, account)
        found = stored.listing(connection, account or None, now=datetime.now(UTC))
        rows = (row for row in found if not row["address"].startswith(hashing.PREFIX))
        left_out: list[str] = []
        sys.stdout.writelines(exports.written(rows, table, left_out=left_out))
    if left_out:
        print(f"bouncemx: left out {len(left_out)} addresses that a Postfix table can't hold", file=sys.stderr)


@app.command("resend")
def resend(
    message: Annotated[str, typer.Option(metavar="ID", help="Its Message-ID.")],
    table: Annotated[Table, typer.Option("--format", metavar="FORMAT", help="csv or jsonl.")] = Table.CSV,
    account: _OneAccount = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Who may get a message again: its recipients with a soft bounce that may still be mailed."""
    from server import settings
    from server.cli import people
    from server.cli.transactions import reading
    from server.settings import UserError
    from storage import resend as stored

    with reading(settings.load(data_dir)) as connection:
        people.account_id(connection, account)
        named = message if message.startswith("<") else f"<{message}>"
        keys = stored.keys(connection, named, account)
        if len(keys) != 1:
            told = "several accounts sent it; say --account" if keys else "`bouncemx messages` shows what was sent"
            raise UserError(f"--message {message}: {told}")
        found = stored.contacts(connection, keys[0], datetime.now(UTC))
        sys.stdout.writelines(exports.written(found, exports.Format(table), exports.CONTACT))
