"""bouncemx incidents: waves of refusals that speak of the sender, and a word on what they hold."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json, refuse_data_dir
from server.cli.people import Who, Why

app = typer.Typer(help="Waves of refusals that speak of the sender.")
_Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="The incident.")]


@app.callback(invoke_without_command=True)
def incidents(context: typer.Context, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Waves of refusals that speak of the sender, newest last."""
    from server import settings
    from server.cli.output import fields, print_table
    from server.cli.transactions import reading
    from storage.incidents import listing

    if context.invoked_subcommand is not None:
        refuse_data_dir(context)
        return
    columns = fields("id", "account", "provider", "reason", "state", "opened_at", "refusals", "held", "decision")
    with reading(settings.load(data_dir)) as connection:
        print_table(listing(connection), json=json, columns=columns)


@app.command("release")
def release(number: _Number, why: Why, who: Who = "", data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """It was the sender: none of the suppressions that the incident holds comes."""
    print(f"{_decide('release', number, why, who, data_dir)} addresses may be mailed.")


@app.command("confirm")
def confirm(number: _Number, why: Why, who: Who = "", data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """It was the addresses: all suppressions that the incident holds come into force."""
    print(f"{_decide('confirm', number, why, who, data_dir)} addresses are suppressed.")


def _decide(decision: str, number: int, why: str, who: str, data_dir: Path) -> int:
    from server import settings
    from server.cli import people
    from server.cli.transactions import writing
    from server.settings import UserError
    from storage import incidents as stored

    decide = stored.release if decision == "release" else stored.confirm
    with writing(settings.load(data_dir)) as connection:
        try:
            return decide(connection, number, who=people.named(who), why=people.checked(why), now=datetime.now(UTC))
        except stored.NoIncident as none:
            raise UserError(str(none)) from None
