"""bouncemx link, unlink: what a person knows a capture to be about."""

from typing import TYPE_CHECKING, Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir
from server.cli.transactions import writing

if TYPE_CHECKING:
    pass

_Capture = Annotated[int, typer.Argument(metavar="CAPTURE", min=0, max=2**63 - 1, help="The capture's id.")]
_Who = Annotated[str, typer.Option(metavar="NAME", help="Who says so.")]
_Why = Annotated[str, typer.Option(metavar="TEXT", help="What it is known by.")]


def link(
    capture: _Capture,
    to: Annotated[
        str, typer.Argument(metavar="DELIVERY|RETURN_PATH|MESSAGE_ID", help="A delivery's number, or what it is.")
    ],
    who: _Who,
    why: _Why,
    recipient: Annotated[str, typer.Option(metavar="ADDRESS", help="Which delivery of the message.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Tie a capture to a delivery by hand.

    For unmatched and undetectable ones. It is kept who, when and why; nothing is suppressed for it.
    """
    from server import linking, settings

    loaded = settings.load(data_dir)
    said = linking.Said(who, why)
    with writing(loaded) as connection:
        delivery = linking.delivery(connection, to, recipient, loaded.return_path_domain)
        linking.link(connection, capture, delivery.id, said)
    print(
        f"Capture {capture} is linked to delivery {delivery.id}: {delivery.message.message_id} to {delivery.recipient}."
    )


def unlink(capture: _Capture, who: _Who, why: _Why, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Take a link by hand back. That it was there is kept."""
    from server import linking, settings

    loaded = settings.load(data_dir)
    said = linking.Said(who, why)
    with writing(loaded) as connection:
        linking.unlink(connection, capture, said)
    print(f"Capture {capture} is no longer linked by hand.")
