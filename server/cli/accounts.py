"""bouncemx accounts: the tenants."""

from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json, refuse_data_dir

app = typer.Typer(help="The accounts that send.")


@app.callback(invoke_without_command=True)
def accounts(context: typer.Context, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """The accounts that send."""
    from server import settings
    from server.cli.output import fields, print_table
    from server.cli.transactions import reading
    from storage.accounts import listing

    if context.invoked_subcommand is not None:
        refuse_data_dir(context)
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
    from server import settings
    from server.cli.transactions import writing
    from server.settings import UserError
    from storage import accounts as stored

    with writing(settings.load(data_dir)) as connection:
        if stored.find(connection, name) is not None:
            raise UserError(f"account {name!r} is there already")
        try:
            stored.ensure(connection, name, owner)
        except ValueError as error:
            raise UserError(str(error)) from None
    print(f"Account {name} is made.")
