"""bouncemx inspect: what mails say, offline; no database."""

from pathlib import Path
from typing import Annotated

import typer

from handlers.words import Profile
from server.cli.options import Json


def inspect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Mails, folders, mbox files, Maildirs.")],
    json: Json = False,
    profile: Annotated[Profile, typer.Option(help="Mapping of reasons to types.")] = Profile.HUBSPOT,
) -> None:
    """Parse and classify mails. Nothing is known of what was sent, so nothing is matched."""
    from server import mailfiles, offline
    from server.cli.output import print_table

    inspector = offline.Inspector(profile)
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
