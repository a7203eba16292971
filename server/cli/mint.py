"""bouncemx mint: return paths for a message, registered."""

from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json


def mint(
    recipients: Annotated[list[str], typer.Argument(metavar="RECIPIENT", help="Who the message goes to.")],
    message_id: Annotated[
        str, typer.Option(metavar="ID", help="Message-ID of the message; made where not given.")
    ] = "",
    account: Annotated[str, typer.Option(metavar="NAME", help="Who sends it.")] = "default",
    subject: Annotated[str, typer.Option(metavar="TEXT", help="Its subject, to be shown beside its bounces.")] = "",
    campaign: Annotated[str, typer.Option(metavar="TEXT", help="What it belongs to.")] = "",
    kind: Annotated[str, typer.Option(metavar="KIND", help="marketing or one_to_one.")] = "marketing",
    count: Annotated[int, typer.Option(min=1, max=100_000, metavar="NUMBER", help="Messages for each recipient.")] = 1,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Print return paths for a message.

    Registers the message; a return path a line, the envelope sender to send it to that recipient with.
    """
    from server import minting, settings
    from server.cli.output import print_lines

    loaded = settings.load(data_dir)
    request = minting.Request(tuple(recipients), message_id, account, subject, campaign, kind, count)
    minted = minting.mint(loaded, request)
    print_lines(minted, json=json, plain=lambda line: line["return_path"])
