"""bouncemx contact: all that is known of an address."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json, Language

if TYPE_CHECKING:
    from storage.timeline import Contact


def contact(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Case does not matter.")],
    account: Annotated[str, typer.Option(metavar="NAME", help="Only as this account sees it.")] = "",
    language: Language = "en",
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Tell all that is known of an address, account by account.

    What was sent to it, what came back, how each delivery stands, and whether it may be mailed.
    """
    from server import settings
    from server.cli.output import print_lines
    from server.cli.transactions import reading
    from server.settings import UserError
    from storage import accounts, timeline

    with reading(settings.load(data_dir)) as connection:
        if account:
            named = accounts.find(connection, account)
            if named is None:
                raise UserError(f"there is no account {account!r}; `bouncemx accounts` shows them")
            whose = [named]
        else:
            whose = timeline.knowing(connection, address)
        found = [timeline.contact(connection, address, each) for each in whose]
    if not found and not json:
        print("Nothing is known of it.")
    print_lines((_row(each, language) for each in found), json=json, plain=_told)


def _row(found: "Contact", language: str) -> dict[str, Any]:
    """With advice on the last hard bounce; of a suppression that holds for everyone, that an operator must lift it."""
    from dataclasses import asdict

    from handlers.advice import advice
    from handlers.words import BounceType, Category

    reason, stands = found.last_hard_bounce_reason, found.suppression
    told = None
    if stands and stands.globally:
        told = advice(reason or Category.OTHER, BounceType.GLOBAL, language)
    elif reason:
        told = advice(reason, BounceType.HARD, language)
    return {**found.shape(), "advice": told and asdict(told)}


def _told(row: dict[str, Any]) -> str:
    may = "may be mailed" if row["eligible"] else "must not be mailed"
    lines = [
        f"{row['address']} ({row['account']}): {may}; last hard bounce: {row['last_hard_bounce_reason'] or 'none'}"
    ]
    lines += [f"  {row['advice'][name]}" for name in ("means", "do") if row["advice"]]
    return "\n".join([*lines, *(f"  {each['at'][:16].replace('T', ' ')}  {_entry(each)}" for each in row["timeline"])])


def _entry(entry: dict[str, Any]) -> str:
    shown = {
        "sent": "{kind} {message_id} {subject!r}: {state}",
        "capture": "capture {capture}: {kind}, {detectability}",
        "bounce": "{type} {category} {reason} (capture {capture})",
        "state": "delivery {delivery}: {from} -> {to} by {cause}",
        "suppression": "suppression {change} {category}",
    }[entry["what"]]
    return f"{entry['what']:12}" + shown.format_map(entry)
