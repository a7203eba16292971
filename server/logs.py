"""Log lines on standard error. What comes from outside can't forge a line or move a terminal's cursor."""

import logging
import os


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.msg = _escaped(record.getMessage())
        record.args = ()
        return super().format(record)


def set_up(level: int = logging.INFO) -> None:
    """For a task of the service. Under systemd the journal has the time already."""
    time = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine(time + "%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
