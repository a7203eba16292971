"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir", metavar="FOLDER", envvar="BOUNCEMX_DATA_DIR", help="The data folder.", show_default=True
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Language = Annotated[str, typer.Option(metavar="TAG", help="Of the advice: en, no or pl.")]
DEFAULT_DATA_DIR = Path("data")


def refuse_data_dir(context: typer.Context) -> None:
    """Of a group of commands: it would be read by the list alone. Raises UserError where it stands before a command."""
    from server.settings import UserError

    source = context.get_parameter_source("data_dir")
    if source is not None and source.name == "COMMANDLINE":
        command = f"{context.info_name} {context.invoked_subcommand}"
        raise UserError(f"--data-dir = {context.params['data_dir']}: say it behind `{command}`")
