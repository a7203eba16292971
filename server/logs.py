"""Log lines on standard error. What comes from outside can't forge a line or move a terminal's cursor."""

import logging
import os
import sys
from types import TracebackType

log = logging.getLogger("bouncemx")


class _OneLine(logging.Formatter):
    """A line a record. A traceback follows indented, since an exception may say what stands in a mail."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = _escaped(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802
        return "\n".join("    " + _escaped(line) for line in super().formatException(ei).split("\n"))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return "\n".join("    " + _escaped(line) for line in stack_info.split("\n"))


def set_up(level: int = logging.INFO) -> None:
    """For a task of the service. Under systemd the journal has the time already."""
    time = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine(time + "%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    sys.excepthook = _tell


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The last words of a process that a fault of ours ends."""
    log.critical("ended by a fault of ours", exc_info=(kind, error, trace))


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
