"""bouncemx rules: the tables that classify."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The rules that say what a reply means.")


@app.command("check")
def check(files: Annotated[list[Path], typer.Argument(help="Your own rule files.")]) -> None:
    """Tell what is wrong with rule files; the exit code is 2 when something is."""
    from handlers import ruleset

    problems = ruleset.check(files)
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(2)
    print("No problems.")
