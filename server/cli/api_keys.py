"""bouncemx api-keys: what programs call the API with."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json

if TYPE_CHECKING:
    from storage.api_keys import Scope

app = typer.Typer(no_args_is_help=True, help="The keys that programs call the API with.")


@app.command("ls")
def ls(json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """The keys, without their secrets."""
    from server import settings
    from server.cli.output import fields, print_table
    from server.cli.transactions import reading
    from storage.api_keys import listing

    with reading(settings.load(data_dir)) as connection:
        columns = fields("id", "account", "name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
        print_table(listing(connection), json=json, columns=columns)


@app.command("add")
def add(
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Whose key it is.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="A key for all accounts, and everything.")] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="read, register, suppress, webhooks or keys; may be said again."),
    ] = None,
    name: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, metavar="NUMBER", help="How long it is good; else until revoked.")
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Make a key and print it: nothing can tell it again."""
    from server import settings
    from server.cli.transactions import writing
    from server.settings import UserError
    from storage import accounts, api_keys

    if operator == (account is not None) or (operator and scope):
        raise UserError("give --account NAME with its --scope SCOPE, or --operator alone")
    now = datetime.now(UTC)
    expires_at = now + timedelta(days=days) if days else None
    with writing(settings.load(data_dir)) as connection:
        whose = accounts.find(connection, account) if account is not None else None
        if whose is None and not operator:
            raise UserError(f"account {account!r} is not there: `bouncemx accounts add` makes one")
        scopes = _scopes(["operator"] if operator else scope or ["read"])
        try:
            _, text = api_keys.add(connection, whose, scopes, now, name=name, expires_at=expires_at)
        except ValueError as error:
            raise UserError(str(error)) from None
    print(text)


@app.command("revoke")
def revoke(
    key: Annotated[int, typer.Argument(metavar="ID", help="Its id, as `api-keys ls` shows it.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Make a key worthless, from now on."""
    from server import settings
    from server.cli.transactions import writing
    from server.settings import UserError
    from storage import api_keys

    with writing(settings.load(data_dir)) as connection:
        if not api_keys.revoke(connection, key, datetime.now(UTC)):
            raise UserError(f"key {key} is not there, or was revoked before: `bouncemx api-keys ls` shows them")
    print(f"Key {key} is revoked.")


def _scopes(words: list[str]) -> "list[Scope]":
    from server.settings import UserError
    from storage.api_keys import Scope

    unknown = [word for word in words if word not in set(Scope)]
    if unknown:
        raise UserError(f"scope {unknown[0]!r} is not known; there are: {', '.join(Scope)}")
    return [Scope(word) for word in words]
