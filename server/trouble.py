"""What goes wrong becomes one message that names the way out; no traceback reaches a person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from server.settings import UserError
from storage.journal import JournalLocked
from storage.keyring import KeyFileBroken

TO_MEND = 2
LATER = 1


@contextmanager
def explained() -> Iterator[None]:
    """Ends the process with a message for what a person can mend or wait for."""
    try:
        yield
    except (UserError, JournalLocked, KeyFileBroken) as error:
        _end(str(error), TO_MEND)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        _end(f"{error.filename or 'a file'}: {error.strerror or error}", LATER)
    except Exception as error:
        if type(error).__name__ != "DatabaseUnusable":  # importing it takes longer than many commands
            raise
        _end(str(error), LATER)


def _end(message: str, code: int) -> None:
    print(f"bouncemx: {message}", file=sys.stderr)
    sys.exit(code)
