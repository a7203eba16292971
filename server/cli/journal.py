"""bouncemx journal: what was taken and not yet stored."""

import sys
from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json

app = typer.Typer(no_args_is_help=True, help="What was taken from clients and is not yet stored.")


@app.command("ls")
def ls(json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """The mails in the journal; those that the worker has stored go with their segment."""
    from server.cli.output import fields, print_table
    from storage.journal import frames

    rows = (
        {
            "id": found.position,
            "received_at": found.mail.envelope.received_at.isoformat(),
            "client": found.mail.envelope.client,
            "reverse_path": found.mail.envelope.reverse_path,
            "forward_paths": list(found.mail.envelope.forward_paths),
            "octets": len(found.mail.raw),
        }
        for found in frames(data_dir / "journal")
    )
    columns = fields("id", "received_at", "client", "reverse_path", "forward_paths", "octets")
    print_table(rows, json=json, columns=columns)


@app.command("cat")
def cat(
    position: Annotated[int, typer.Argument(metavar="ID", help="Its id, as `journal ls` shows it.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """One mail, as it was received."""
    from server.settings import UserError
    from storage.journal import Reader

    mails = Reader(data_dir / "journal", position).read(1)
    if not mails or mails[0].position != position:
        raise UserError(f"no mail is at {position} in the journal; `bouncemx journal ls` shows what is there")
    sys.stdout.buffer.write(mails[0].raw)
