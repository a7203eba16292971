"""bouncemx blindspots: how many notices nobody can tie to a message, by gateway and receiving domain."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json

_DAYS = 30
Since = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], metavar="DATE", help="Count from then on; 30 days where not given."
    ),
]


def blindspots(json: Json = False, since: Since = None, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """How many bounce notices can be tied to no message.

    Against the bounces that were seen, by gateway and by receiving domain.
    """
    from server import settings
    from server.cli.output import print_table
    from server.cli.transactions import reading
    from storage.blindspots import listing

    begin = since.replace(tzinfo=UTC) if since else datetime.now(UTC) - timedelta(days=_DAYS)
    with reading(settings.load(data_dir)) as connection:
        print_table(
            listing(connection, begin),
            json=json,
            columns=[
                ("by", lambda row: row["by"]),
                ("name", lambda row: "" if row["by"] == "all" else row["name"] or "none recognised"),
                ("bounces", lambda row: row["bounces"]),
                ("undetectable", lambda row: row["undetectable"]),
                ("share", _share),
                ("linked by hand", lambda row: row["linked_by_hand"]),
                ("reasons", lambda row: _most(row["reasons"])),
                ("languages", lambda row: _most(row["languages"])),
            ],
        )


def _share(row: dict[str, Any]) -> str:
    return f"{100 * row['undetectable'] / row['bounces']:.1f} %" if row["bounces"] else ""


def _most(counted: dict[str, int]) -> str:
    """The most frequent ones; --json has them all."""
    shown = [f"{name} {number}" for name, number in list(counted.items())[:5]]
    return ", ".join([*shown, f"{len(counted) - 5} more"] if len(counted) > 5 else shown)
