"""bouncemx rules: the tables that classify."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir

app = typer.Typer(no_args_is_help=True, help="The rules that say what a reply means.")


@app.command("check")
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Your own rule files; those of the settings where none are named."),
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Tell what is wrong with rule files; the exit code is 2 when something is."""
    from handlers import rulecheck
    from server import settings

    problems = rulecheck.check(files or settings.load(data_dir).rules)
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(2)
    print("No problems.")
