"""Who says what a command does, and why: the options, and what is taken where they are not given."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy import Connection

Why = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept.")]
Who = Annotated[str, typer.Option(metavar="NAME", help="Who says so; the user of this shell where not given.")]
OneAccount = Annotated[str, typer.Option("--account", metavar="NAME", help="Only in this account.")]


def named(who: str) -> str:
    """`who`, or the user of this shell."""
    if who:
        return who
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that the host does not know
        return "unknown"


def checked(why: str) -> str:
    """Raises UserError where nothing is said."""
    from server.settings import UserError

    if not why.strip():
        raise UserError("--why is empty: say why, it is kept with what you do")
    return why.strip()


def account_id(connection: "Connection", name: str) -> int | None:
    """The account with this name; None where none is named. Raises UserError for one that is not there."""
    from server.settings import UserError
    from storage import accounts

    found = accounts.find(connection, name) if name else None
    if name and found is None:
        raise UserError(f"there is no account {name!r}; `bouncemx accounts` shows them")
    return found.id if found else None
