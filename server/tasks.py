"""The tasks of the service by name: each in a process of its own, under the supervisor or as `serve --only`.

Each imports what it needs when it runs, so that no process holds what only another one uses.
"""

import os
from collections.abc import Callable

from server.settings import Settings, UserError
from server.starting import begin

# Where there is not enough of the processor for all: senders wait before what they sent waits here, and pages last.
_NICENESS = {"intake": 3, "worker": 0, "web": 5, "webhooks": 5}
NAMES = tuple(_NICENESS)


def run(name: str, settings: Settings, smtp: str, http: str, follow: Callable[[], None] = lambda: None) -> None:
    """Runs until SIGTERM or SIGINT; `smtp` and `http` are HOST:PORT. `follow` may start a thread.

    Raises UserError for a name that is none, and what the task raises at its start.
    """
    if name not in NAMES:
        raise UserError(f"--only {name}: there are {', '.join(NAMES)}")
    begin()
    os.nice(_NICENESS[name])
    if name == "worker":
        from server.reading import started

        # forked before there are threads, and before the imports that it has no use for
        reader = started(settings.limits, settings.rules, settings.profile)
        follow()
        from server import worker

        return worker.run(settings, reader)
    follow()
    if name == "intake":
        from server import intake

        return intake.run(settings, smtp)
    if name == "web":
        from server import web

        return web.run(settings, http)
    from server import webhooks

    return webhooks.run(settings)
