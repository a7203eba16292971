"""Parsing and classifying in a process of its own, within bounds of time and memory (handlers.ports.Reader).

A mail that exceeds them takes the process down; the next mail gets a new one.
"""

import contextlib
import logging
import multiprocessing
import pickle
import resource
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from itertools import accumulate, takewhile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from handlers.envelope import Mail
from handlers.ports import Said, Unreadable
from handlers.words import Profile
from server.rulebook import understanding
from server.settings import Limits, UserError
from server.starting import settle

log = logging.getLogger("bouncemx.reading")

READ_OCTETS = 4 << 20  # of one mail: what a report says stands before what it brings back (RFC 6522 3)
_SENT_OCTETS = 1 << 20  # of mails at a time, which costs less than one by one
_HEARD_OCTETS = 1 << 16  # of answers that are taken from the pipe at a time
_START_SECONDS = 30.0
_JOIN_SECONDS = 1.0
_READY = ""  # or what a person must mend first

Understand = Callable[[bytes, str], Said]
Prepare = Callable[[], Understand]


class ReaderMissing(Exception):
    """The reader does not start: nothing is known of the mail, and it can be tried again later."""


class ReaderRefuses(ReaderMissing):
    """It has rules that are wrong. The text says which, and what to do."""


class ReaderFailed(Exception):
    """The reader has a fault. The text is its traceback."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """A fault of ours."""

    trace: str


_Answer = Said | Unreadable | _Failed


class _Pickler(pickle.Pickler):
    """Dataclasses as calls with their fields: the slotted ones' own way takes twice as long to read.

    What stood in one answer is only named in the next ones: each is written by the same pickler.
    """

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) or not is_dataclass(value):
            return NotImplemented
        return type(value), tuple(getattr(value, field.name) for field in fields(value))


class BoundedReader:
    """One process that reads one mail after the other."""

    def __init__(self, seconds: float, octets: int, prepare: Prepare) -> None:
        """`seconds` and `octets` of memory are what one mail may take; `prepare` is called once in the process, and
        gives what reads a mail. It may raise UserError.
        """
        self._bounds = (seconds, octets, prepare)
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._ready = False
        self._turn = threading.Lock()

    def read(self, mails: Sequence[Mail]) -> list[Said | Unreadable]:
        """For many threads. Raises ReaderMissing, ReaderFailed."""
        with self._turn:
            answers = self._answers(mails)
        failed = next((answer for answer in answers if isinstance(answer, _Failed)), None)
        if failed:
            raise ReaderFailed(failed.trace)
        return [answer for answer in answers if not isinstance(answer, _Failed)]

    def warm(self) -> None:
        """Starts the process, so that the first mail needs not wait for it; it prepares itself beside us.

        Raises ReaderMissing.

        Before there are threads it is forked, which takes no time; a fork beside threads may inherit a held lock.
        """
        with self._turn:
            if self._pipe is None:
                self._start("fork" if threading.active_count() == 1 else "spawn")

    def await_ready(self) -> None:
        """Raises UserError where a person must mend something first. What can't start now may do so later."""
        try:
            with self._turn:
                self._await_ready(self._pipe or self._start())
        except ReaderRefuses as wrong:
            raise UserError(str(wrong)) from None
        except ReaderMissing as missing:
            log.warning("%s; it is tried again with the first mail", missing)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._end()

    def _answers(self, mails: Sequence[Mail]) -> list[_Answer]:
        answers: list[_Answer] = []
        fell = -1  # number of the mail at which a process ended
        while len(answers) < len(mails):
            found, exit_code = self._ask(mails[len(answers) :])
            answers += found
            if exit_code is None:
                continue
            if exit_code == -signal.SIGALRM:
                answers.append(Unreadable(f"reading it took longer than {self._bounds[0]:g} seconds"))
            elif fell == len(answers):
                answers.append(Unreadable("reading it brought the reader down"))
            else:
                # what ended the process need not be the mail: the kernel ends one when all memory is used up
                fell = len(answers)
        return answers

    def _ask(self, mails: Sequence[Mail]) -> tuple[list[_Answer], int | None]:
        """The answers to the first of them, and the exit code where the process ended. Raises ReaderMissing."""
        pipe = self._pipe or self._start()
        self._await_ready(pipe)
        asked = [(mail.raw[:READ_OCTETS], mail.envelope.reverse_path) for mail in _first(mails)]
        answers: list[_Answer] = []
        try:
            pipe.send(asked)
            with open(pipe.fileno(), "rb", _HEARD_OCTETS, closefd=False) as heard:
                unpickler = pickle.Unpickler(heard)  # noqa: S301 - our own process writes it, as all in this pipe
                while len(answers) < len(asked):
                    answers.append(unpickler.load())
        except (EOFError, OSError, pickle.UnpicklingError):
            return answers, self._end() or 0
        return answers, None

    def _start(self, method: Literal["fork", "spawn"] = "spawn") -> Connection:
        context: Any = multiprocessing.get_context(method)
        ours: Connection
        ours, theirs = context.Pipe()
        inherited = ours if method == "fork" else None
        arguments = (inherited, theirs, *self._bounds)
        process = context.Process(target=_serve, args=arguments, name="reader", daemon=True)
        try:
            process.start()
        except OSError as error:
            ours.close()
            raise ReaderMissing(f"the reader does not start: {error}") from None
        finally:
            theirs.close()
        self._process, self._pipe, self._ready = process, ours, False
        return ours

    def _await_ready(self, pipe: Connection) -> None:
        if self._ready:
            return
        told = None
        with contextlib.suppress(EOFError, OSError):
            told = pipe.recv() if pipe.poll(_START_SECONDS) else None
        if told == _READY:
            self._ready = True
            return
        exit_code = self._end()
        if told is None:
            raise ReaderMissing(f"the reader does not start: its exit code is {exit_code}")
        raise ReaderRefuses(told)

    def _end(self) -> int | None:
        """Ends the process; the exit code where it ended by itself."""
        if self._pipe is not None:
            self._pipe.close()
        code = None
        if self._process is not None:
            self._process.join(_JOIN_SECONDS)
            code = self._process.exitcode
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None
        return code


def started(limits: Limits, rules: Sequence[Path], profile: Profile) -> BoundedReader:
    """One that takes the steps parse and classify. Its process reads the rules while the caller starts."""
    reader = BoundedReader(limits.parse_seconds, limits.parse_octets, partial(understanding, rules, profile))
    with contextlib.suppress(ReaderMissing):  # perhaps later
        reader.warm()
    return reader


def _first(mails: Sequence[Mail]) -> Sequence[Mail]:
    """As many as are sent at a time: at least one."""
    sizes = accumulate(min(len(mail.raw), READ_OCTETS) for mail in mails)
    return mails[: max(1, sum(1 for _ in takewhile(lambda octets: octets <= _SENT_OCTETS, sizes)))]


def _serve(inherited: Connection | None, pipe: Connection, seconds: float, octets: int, prepare: Prepare) -> None:
    """The process: mails in, reports out, until the pipe closes. `inherited` is the other end, where it was forked."""
    if inherited is not None:
        inherited.close()  # or the pipe would never close
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides when we end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process wherever it is, deep in a library too
    resource.setrlimit(resource.RLIMIT_AS, (octets, octets))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(EOFError, ConnectionError), open(pipe.fileno(), "wb", closefd=False) as answers:
        try:
            understand = prepare()
        except UserError as error:
            return pipe.send(str(error))
        settle()
        pipe.send(_READY)
        while True:
            asked = pipe.recv()
            pickler = _Pickler(answers, pickle.HIGHEST_PROTOCOL)
            for raw, reverse_path in asked:
                signal.setitimer(signal.ITIMER_REAL, seconds)
                answer = _answer(understand, raw, reverse_path)
                signal.setitimer(signal.ITIMER_REAL, 0)
                pickler.dump(answer)
                answers.flush()  # each by itself: the next mail may take the process down


def _answer(understand: Understand, raw: bytes, reverse_path: str) -> _Answer:
    try:
        return understand(raw, reverse_path)
    except MemoryError:
        return Unreadable("reading it took more memory than allowed")
    except RecursionError:
        return Unreadable("it is nested too deeply to be read")
    except Exception:
        return _Failed(traceback.format_exc())
