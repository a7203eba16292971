"""bouncemx inspect: what mails say, offline; no database."""

from pathlib import Path
from typing import Annotated

import typer

from handlers.words import Profile
from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json


def inspect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Mails, folders, mbox files, Maildirs.")],
    json: Json = False,
    profile: Annotated[
        Profile | None, typer.Option(help="Mapping of reasons to types; that of the settings where not given.")
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Say what mails are and why they bounced, offline.

    Nothing is known of what was sent, so nothing is matched.
    """
    from server import mailfiles, offline, settings
    from server.cli.output import print_table

    loaded = settings.load(data_dir)
    inspector = offline.Inspector(loaded.rules, profile or loaded.profile)
    rows = ({"file": name, **inspector.inspect(raw)} for name, raw in mailfiles.read(paths))
    print_table(
        rows,
        json=json,
        columns=[
            ("file", lambda row: row["file"]),
            ("kind", lambda row: row["kind"]),
            ("detectability", lambda row: row["detectability"]),
            ("recipient", lambda row: "\n".join(str(r["address"]) for r in row["recipients"])),
            ("status", lambda row: "\n".join(str(r["status"] or "") for r in row["recipients"])),
            ("type", lambda row: "\n".join(str(r["type"] or "") for r in row["recipients"])),
            ("reason", lambda row: "\n".join(str(r["reason"] or "") for r in row["recipients"])),
            ("rule", lambda row: "\n".join(str(r["rule"] or "") for r in row["recipients"])),
        ],
    )
