"""bouncemx keys: what signs the return paths."""

from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json

app = typer.Typer(no_args_is_help=True, help="The keys that sign return paths.")


@app.command("ls")
def ls(json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """The keys on the ring, without their secrets."""
    from server.cli.output import fields, print_table
    from storage.keyring import open_or_create

    ring = open_or_create(data_dir)
    rows = (
        {
            "kid": key.kid,
            "created": key.created.isoformat(),
            "retired": key.retired.isoformat() if key.retired else None,
            "signs": key.kid == ring.active,
        }
        for key in ring.masters.values()
    )
    print_table(rows, json=json, columns=fields("kid", "created", "retired", "signs"))


_CLOCKS_DIFFER_DAYS = 10  # a key outlives its last token by these


@app.command("rotate")
def rotate(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Sign with a new key; the old one verifies until its return paths have expired."""
    from server import settings
    from storage import keyring

    late = settings.load(data_dir).token_late_days
    ring = keyring.rotate(data_dir, keep_days=late + _CLOCKS_DIFFER_DAYS)
    print(f"Key {ring.active} signs from now on.")


@app.command("export")
def export(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account whose key it is.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The key of one account, to mint return paths without the server. It is a secret of that account."""
    from handlers.keys import account_key
    from server import settings
    from server.settings import UserError
    from storage import accounts, database
    from storage.keyring import open_or_create

    loaded = settings.load(data_dir)
    ring = open_or_create(data_dir)
    url = database.locate(loaded.database_url, data_dir)
    database.migrate(url)
    with database.Database(url) as db, db.writer() as connection:
        try:
            print(account_key(ring, accounts.ensure(connection, account).id))
        except ValueError as error:
            raise UserError(str(error)) from None
