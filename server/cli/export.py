"""bouncemx export: lists for other programs."""

import csv
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir

app = typer.Typer(help="Lists for other programs.", no_args_is_help=True)
_SUPPRESSION = ("address", "account", "type", "category", "reason", "since", "expires_at", "source")
_CONTACT = ("address", "message_id", "category", "reason", "resolution", "since")
# what a text file that postmap reads can hold as a key (postmap(1)): no white space, no comment
_POSTFIX_KEY = re.compile(r'[^\s#"\x00-\x20\x7f][^\s\x00-\x20\x7f]*@[^\s@\x00-\x20\x7f]+')
_OneAccount = Annotated[str, typer.Option("--account", metavar="NAME", help="What holds for this account.")]


class Table(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSONL = "jsonl"


class SuppressionTable(StrEnum):
    """How suppressions are written."""

    CSV = "csv"
    JSONL = "jsonl"
    POSTFIX = "postfix"


@app.command("suppressions")
def suppressions(
    table: Annotated[
        SuppressionTable, typer.Option("--format", metavar="FORMAT", help="csv, jsonl or postfix (an access map).")
    ] = SuppressionTable.CSV,
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
        rows = (
            {name: row[name] for name in _SUPPRESSION} for row in found if not row["address"].startswith(hashing.PREFIX)
        )
        if table is SuppressionTable.POSTFIX:
            _write_postfix(rows)
        else:
            _write(rows, Table(table), _SUPPRESSION)


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
        _write(stored.contacts(connection, keys[0], datetime.now(UTC)), table, _CONTACT)


def _write(rows: Iterable[dict[str, Any]], table: Table, names: tuple[str, ...]) -> None:
    from server.cli.output import print_lines

    if table is Table.JSONL:
        print_lines(rows, json=True, plain=str)
        return
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _write_postfix(rows: Iterable[dict[str, Any]]) -> None:
    """access(5); for an address that is suppressed twice, one line."""
    written: set[str] = set()
    left_out = 0
    for row in rows:
        address = row["address"]
        if not _POSTFIX_KEY.fullmatch(address):
            left_out += 1
        elif address not in written:
            written.add(address)
            print(f"{address} REJECT suppressed: {row['reason']} since {row['since'][:10]}")
    if left_out:
        print(f"bouncemx: left out {left_out} addresses that a Postfix table can't hold", file=sys.stderr)
