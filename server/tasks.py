"""The tasks of the service by name: each in a process of its own, under the supervisor or as `serve --only`.

Each imports what it needs when it runs, so that no process holds what only another one uses.
"""

import os
from collections.abc import Callable

from server.settings import Settings, UserError
from server.starting import begin

_AFTER_MAIL = 5  # niceness of what can wait while mail comes in and is worked on
NAMES = ("intake", "worker", "web", "webhooks")


def run(name: str, settings: Settings, smtp: str, http: str, follow: Callable[[], None] = lambda: None) -> None:
    """Runs until SIGTERM or SIGINT; `smtp` and `http` are HOST:PORT. `follow` may start a thread.

    Raises UserError for a name that is none, and what the task raises at its start.
    """
    begin()
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
    os.nice(_AFTER_MAIL)
    if name == "web":
        from server import web

        return web.run(settings, http)
    if name == "webhooks":
        from server import webhooks

        return webhooks.run(settings)
    raise UserError(f"--only {name}: there are {', '.join(NAMES)}")
