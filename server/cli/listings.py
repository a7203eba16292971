"""bouncemx captures, bounces, messages, suppressions: what is stored; the server may be down."""

from typing import Annotated, Any

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from server.cli.transactions import reading, reading_on

_PAGE = 500  # rows that are read at a time
_PAGE_OF_MAILS = 50


def captures(
    json: Json = False,
    raw: Annotated[bool, typer.Option("--raw", help="With --json: the mail itself, octets as latin-1.")] = False,
    contains: Annotated[
        str, typer.Option(metavar="TEXT", help="Only those with this text in subject, ids, paths or the mail.")
    ] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Every mail that was received on a return path, newest last."""
    from server import settings
    from server.cli.output import print_table
    from server.minting import with_return_path
    from storage.captures import Filter, find

    loaded = settings.load(data_dir)
    whole = raw and json
    found = reading_on(
        loaded,
        lambda connection, last: find(connection, Filter(contains=contains or None, since=last), raw=whole),
        _PAGE_OF_MAILS if whole else _PAGE,
    )
    print_table(
        (with_return_path(row, loaded.return_path_domain) for row in found),
        json=json,
        columns=[
            ("id", lambda row: row["id"]),
            ("received", lambda row: row["received_at"][5:16].replace("T", " ")),
            ("kind", lambda row: "held" if row["held"] else row["kind"]),
            ("tied", lambda row: row["detectability"]),
            ("verdict", lambda row: f"{_first(row, 'type')} {_first(row, 'reason')}".strip()),
            ("recipient", lambda row: _first(row, "address")),
        ],
    )


def bounces(json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """The verdicts on deliveries, newest last."""
    from server import settings
    from server.cli.output import fields, print_table
    from server.minting import with_return_path
    from storage.bounces import Filter, find

    loaded = settings.load(data_dir)
    columns = fields(
        "id", "created_at", "account", "address", "type", "category", "reason", "rule", "status", "capture"
    )
    found = reading_on(loaded, lambda connection, last: find(connection, Filter(since=last)), _PAGE)
    print_table((with_return_path(row, loaded.return_path_domain) for row in found), json=json, columns=columns)


def messages(json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """What was sent, newest last."""
    from server import settings
    from server.cli.output import fields, print_table
    from storage.messages import listing

    columns = fields("id", "account", "message_id", "envelope_id", "subject", "campaign", "kind", "deliveries")
    print_table(reading_on(settings.load(data_dir), listing, _PAGE), json=json, columns=columns)


def suppressions(
    json: Json = False,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are held, lifted or expired.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The addresses not to mail now."""
    from handlers.effects import State
    from server import settings
    from server.cli.output import fields, print_table
    from storage.suppressions import listing

    with reading(settings.load(data_dir)) as connection:
        names = "address", "account", "type", "category", "reason", "since", "capture"
        columns = fields(*names, "state") if everything else fields(*names)
        print_table(listing(connection, state=None if everything else State.ACTIVE), json=json, columns=columns)


def _first(row: dict[str, Any], field: str) -> object:
    """The field of the first recipient, and how many more there are."""
    found = row["recipients"]
    if not found:
        return ""
    more = f" (+{len(found) - 1})" if len(found) > 1 and field == "address" else ""
    return f"{found[0][field] or ''}{more}"
