"""bouncemx unbounce: lets addresses be mailed again."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from server.cli.people import OneAccount, Who, Why

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from storage.lifting import Word
    from storage.standing import Key


def unbounce(
    why: Why,
    addresses: Annotated[list[str] | None, typer.Argument(metavar="ADDRESS", help="Who may be mailed again.")] = None,
    account: OneAccount = "",
    everyone: Annotated[bool, typer.Option("--global", help="What holds for everyone, instead.")] = False,
    incident: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="All that this incident caused.")] = 0,
    who: Who = "",
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Lift suppressions, because their cause is mended.

    What was received before suppresses them no more; a new bounce does.
    """
    from server import settings
    from server.cli import people
    from server.cli.output import print_lines
    from server.cli.transactions import writing
    from server.settings import UserError
    from storage.lifting import TooMany, Word

    if bool(addresses) == bool(incident):
        raise UserError("name the addresses, or an incident with --incident, and not both")
    if everyone and (incident or account):
        raise UserError("--global is for addresses, and for no single account")
    word = Word(people.named(who), people.checked(why), datetime.now(UTC))
    most = settings.load(data_dir).unbounce_per_day
    with writing(settings.load(data_dir)) as connection:
        whose = people.account_id(connection, account)
        try:
            lifted = _lift(connection, addresses or [], whose, incident, word, most, everyone=everyone)
        except TooMany as many:
            raise UserError(f"{many}; see unbounce_per_day in the settings") from None
        names = _names(connection)
    rows = [
        {"address": key.address, "account": names.get(key.account), "who": word.who, "why": word.why} for key in lifted
    ]
    if not rows:
        told = "" if everyone else "; what holds for everyone needs --global"
        raise UserError(f"nothing of that is suppressed: `bouncemx suppressions` shows what is{told}")
    print_lines(
        rows, json=json, plain=lambda row: f"{row['address']}: {row['account'] or 'everyone'} may mail it again"
    )


def _lift(
    connection: "Connection",
    addresses: list[str],
    whose: int | None,
    incident: int,
    word: "Word",
    most: int,
    *,
    everyone: bool,
) -> "list[Key]":
    from storage import lifting

    if incident:
        return lifting.lift_incident(connection, incident, whose, word, most)
    if everyone:
        return lifting.lift_everyones(connection, addresses, word, most)
    return lifting.lift(connection, addresses, whose, word, most)


def _names(connection: "Connection") -> dict[int | None, str]:
    from storage import accounts

    return {each["id"]: each["name"] for each in accounts.listing(connection)}
