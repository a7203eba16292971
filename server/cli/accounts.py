"""bouncemx accounts: the tenants."""

from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json

app = typer.Typer(help="The accounts that send.")


@app.callback(invoke_without_command=True)
def accounts(context: typer.Context, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """The accounts that send."""
    from server import settings
    from server.cli.listings import reading
    from server.cli.output import fields, print_table
    from server.settings import UserError
    from storage.accounts import listing

    if context.invoked_subcommand is not None:
        source = context.get_parameter_source("data_dir")
        if source is not None and source.name == "COMMANDLINE":
            raise UserError(f"--data-dir = {data_dir}: say it behind `accounts {context.invoked_subcommand}`")
        return
    with reading(settings.load(data_dir)) as connection:
        print_table(listing(connection), json=json, columns=fields("id", "name", "owner", "created_at"))


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    owner: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who has it; without one it is an owner of its own.")
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Make an account."""
    from server.cli.listings import writing
    from server.settings import UserError
    from storage import accounts as stored

    with writing(data_dir) as connection:
        if stored.find(connection, name) is not None:
            raise UserError(f"account {name!r} is there already")
        try:
            stored.ensure(connection, name, owner)
        except ValueError as error:
            raise UserError(str(error)) from None
    print(f"Account {name} is made.")
