"""What every task does on its way up, and once it is there."""

import gc

from server import libc, sockets


def begin() -> None:
    """A start makes much and drops little: a collector that looks at it all takes a sixth of the time."""
    libc.give_memory_back()
    gc.disable()


def ready() -> None:
    """Tells systemd; what is there now stays as long as the task, and the collector never looks at it again."""
    settle()
    sockets.notify("READY=1")


def settle() -> None:
    """For a process that systemd need not know."""
    gc.freeze()
    gc.enable()
