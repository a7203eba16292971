"""bouncemx doctor: what is wrong, and what to do about it."""

from dataclasses import asdict
from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json


def doctor(
    smtp: Annotated[str, typer.Option(metavar="HOST:PORT", help="HOST:PORT where mail is taken.")] = "127.0.0.1:2525",
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Find out what is wrong, and what to do about it.

    Looks at settings, folder, keys, database, journal, DNS and certificate. The exit code is 1 when one is broken.
    """
    from server.cli.output import fields, print_table
    from server.doctor import PROBLEM, examine

    found = list(examine(data_dir, smtp))
    print_table(map(asdict, found), json=json, columns=fields("check", "state", "message", "advice"))
    if any(each.state == PROBLEM for each in found):
        raise typer.Exit(1)
