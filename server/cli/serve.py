"""bouncemx serve: the tasks, or one of them."""

from typing import Annotated

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir


def serve(
    smtp: Annotated[str, typer.Option(metavar="HOST:PORT", help="HOST:PORT to take mail at.")] = "127.0.0.1:2525",
    http: Annotated[str, typer.Option(metavar="HOST:PORT", help="HOST:PORT of the pages.")] = "127.0.0.1:8025",
    only: Annotated[
        str, typer.Option(metavar="TASK", help="Run one task in this process: intake, worker, web or webhooks.")
    ] = "",
    try_it: Annotated[bool, typer.Option("--try", help="Print a return path and a line to try it with.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Take mail, work on it and show it, in the foreground.

    Creates and migrates what is missing. SIGTERM ends it.
    """
    from server import logs, settings

    logs.set_up()
    loaded = settings.load(data_dir)
    data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    if only:
        from server import tasks

        tasks.run(only, loaded, smtp, http)
    else:
        from server import supervisor

        raise typer.Exit(supervisor.run(loaded, smtp, http, try_it=try_it))
