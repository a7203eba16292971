"""One line a record, whatever a mail made of it."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from server import logs


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level, hook = root.handlers[:], root.level, sys.excepthook
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root.handlers[:] = []
    logs.set_up()
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook = hook


FORGED = "x\n2026-01-01 00:00:00,000 CRITICAL bouncemx: forged\r\x1b[2J\x85\u2028"
ESCAPED = r"x\n2026-01-01 00:00:00,000 CRITICAL bouncemx: forged\r\x1b[2J\x85\u2028"


def test_a_line_has_time_level_and_name(lines: io.StringIO) -> None:
    logging.getLogger("bouncemx.test").info("stored %d of %s", 3, "ümläut")
    stamp, _, rest = lines.getvalue().partition(" INFO ")
    assert rest == "bouncemx.test: stored 3 of ümläut\n"
    assert len(stamp) == len("2026-01-01 00:00:00,000")


@pytest.mark.parametrize("arguments", [(FORGED,), ("%s", FORGED)])
def test_no_line_can_be_forged(lines: io.StringIO, arguments: tuple[str, ...]) -> None:
    logging.getLogger("bouncemx.test").warning(*arguments)
    assert lines.getvalue().endswith(f" WARNING bouncemx.test: {ESCAPED}\n")
    assert lines.getvalue().count("\n") == 1


def test_a_lone_surrogate_is_told_by_its_number(lines: io.StringIO) -> None:
    # not through a logger: pytest keeps what goes there, and can't hand a surrogate on between its processes
    record = logging.LogRecord("bouncemx.test", logging.WARNING, "x.py", 1, "\ud800", (), None)
    logging.getLogger().handlers[0].handle(record)
    assert lines.getvalue().endswith("WARNING bouncemx.test: \\ud800\n")


def test_an_exception_that_says_what_a_mail_says(lines: io.StringIO) -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("bouncemx.test").exception("capture 7 failed", stack_info=True)
    first, *trace = lines.getvalue().splitlines()
    assert first.endswith(" ERROR bouncemx.test: capture 7 failed")
    assert "    Traceback (most recent call last):" in trace
    assert all(line.startswith("    ") for line in trace)
    assert "\x1b" not in lines.getvalue()


def test_the_last_words_of_a_process(lines: io.StringIO) -> None:
    error = RuntimeError(FORGED)
    sys.excepthook(RuntimeError, error, None)
    first, *trace = lines.getvalue().splitlines()
    assert first.endswith(" CRITICAL bouncemx: ended by a fault of ours")
    assert all(line.startswith("    ") for line in trace)


def test_systemd_knows_the_time(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    monkeypatch.setattr(sys, "stderr", lines)
    logs.set_up()
    logging.getLogger("bouncemx.test").info("x")
    assert lines.getvalue() == "INFO bouncemx.test: x\n"


def test_migrations_are_quiet(lines: io.StringIO) -> None:
    logging.getLogger("alembic.runtime.migration").info("Context impl")
    assert lines.getvalue() == ""
