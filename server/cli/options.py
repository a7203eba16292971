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
