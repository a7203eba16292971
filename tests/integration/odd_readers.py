"""What the reader's process might be made to do: what a mail that is not in the corpus yet might do to the real one."""

import os
import signal
from pathlib import Path

from handlers import ruleset
from handlers.classify import Classifier
from handlers.pipeline import understand
from handlers.ports import Said
from handlers.report import Report
from handlers.words import Kind
from server.reading import Understand
from server.settings import UserError


def real(raw: bytes, reverse_path: str) -> Said:
    """The steps, with our own rules."""
    return understand(raw, reverse_path, _CLASSIFIER)


_CLASSIFIER = Classifier(ruleset.load())


def as_real() -> Understand:
    """What gives the process the real one."""
    return real


def as_obedient() -> Understand:
    return obedient


def refusing() -> Understand:
    """Rules that are wrong."""
    raise UserError("own.toml: rule 'a.b', reason = 'x': unknown reason")


def obedient(raw: bytes, reverse_path: str) -> Said:
    """The real one, for mails that give no order in their first line."""
    order = raw.partition(b"\r\n")[0]
    if order == b"X-Test: loop":
        while True:
            pass
    if order == b"X-Test: die":
        os.kill(os.getpid(), signal.SIGKILL)
    if order.startswith(b"X-Test: die once "):
        _die_once(Path(os.fsdecode(order.removeprefix(b"X-Test: die once "))))
    if order == b"X-Test: eat":
        return real(bytes(1 << 40), reverse_path)
    if order == b"X-Test: nest":
        return obedient(raw, reverse_path)
    if order == b"X-Test: half":
        return Said(Report(Kind.OTHER, subject="x" * 200_000, faults=("written by then", _Deadly())), ())
    if order == b"X-Test: fail":
        raise ValueError("a fault of ours\nwith a second line")
    return real(raw, reverse_path)


class _Deadly(str):
    """Ends the process that wants to write it down."""

    __slots__ = ()

    def __reduce__(self) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return ""


def _die_once(mark: Path) -> None:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def ends_at_once(*bounds: object) -> None:
    """In place of the process's own loop."""
    raise SystemExit(7)
