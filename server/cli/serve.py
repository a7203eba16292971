"""bouncemx serve: the tasks, or one of them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
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
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Take mail, work on it and show it, in the foreground.

    Creates and migrates what is missing. SIGTERM ends it.
    """
    from server import logs, settings

    logs.set_up()
    loaded = settings.load(data_dir)
    _make(data_dir)
    from server import supervisor

    patience = loaded.limits.drain_timeout + supervisor.GRACE_SECONDS
    follow: Callable[[], None] = partial(supervisor.follow, patience) if supervised else _follow_nobody
    if only != "worker":
        follow()
    if not only:
        raise typer.Exit(supervisor.run(loaded, smtp, http, try_it=try_it))
    if only == "intake":
        from server import intake

        intake.run(loaded, smtp)
    elif only == "worker":
        from server import worker

        worker.run(loaded, follow)
    elif only == "web":
        from server import web

        web.run(loaded, http)
    elif only == "webhooks":
        from server import webhooks

        webhooks.run(loaded)
    else:
        raise settings.UserError(f"--only {only}: there are {', '.join(supervisor.TASKS)}")


def _follow_nobody() -> None:
    """Nobody started this task."""


def _make(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
