"""Parsing in a process of its own, within bounds of time and memory (handlers.ports.Parser).

A mail that exceeds them takes the process down; the next mail gets a new one.
"""

import contextlib
import multiprocessing
import resource
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

from handlers.parse import parse as parse_mail
from handlers.ports import ParserDied
from handlers.report import Report

READ_OCTETS = 4 << 20  # of one mail: what a report says stands before what it brings back (RFC 6522 3)
_START_SECONDS = 30.0
_JOIN_SECONDS = 1.0
_READY = "ready"

Parse = Callable[[bytes, str], Report]


class ParserMissing(Exception):
    """The parser does not start: nothing is known of the mail, and it can be tried again later."""


class ParserFailed(Exception):
    """The parser has a fault. The text is its traceback."""


@dataclass(frozen=True, slots=True)
class _Exceeded:
    """What the mail took too much of."""

    told: str


@dataclass(frozen=True, slots=True)
class _Failed:
    """A fault of ours."""

    trace: str


_Answer = Report | _Exceeded | _Failed


class BoundedParser:
    """One process that parses one mail at a time."""

    def __init__(self, seconds: float, octets: int, parse: Parse = parse_mail) -> None:
        """`seconds` and `octets` of memory are what one mail may take; `parse` is what the process calls."""
        self._bounds = (seconds, octets, parse)
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._ready = False
        self._turn = threading.Lock()

    def parse(self, raw: bytes, reverse_path: str) -> Report:
        """For many threads.

        Raises ParserDied when the mail exceeded its bounds or brought the process down, ParserMissing, ParserFailed.
        """
        with self._turn:
            # what ended the process need not be the mail: the kernel ends one when all memory is used up
            answer = self._ask(raw, reverse_path) or self._ask(raw, reverse_path)
        if isinstance(answer, Report):
            return answer
        if isinstance(answer, _Failed):
            raise ParserFailed(answer.trace)
        raise ParserDied(answer.told if answer else "reading it brought the parser down")

    def warm(self) -> None:
        """Starts the process, so that the first mail needs not wait for it. Raises ParserMissing.

        Before there are threads it is forked, which takes no time; a fork beside threads may inherit a held lock.
        """
        with self._turn:
            if self._pipe is None:
                self._start("fork" if threading.active_count() == 1 else "spawn")

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._end()

    def _ask(self, raw: bytes, reverse_path: str) -> _Answer | None:
        """None where the process ended without an answer. Raises ParserMissing."""
        pipe = self._pipe or self._start()
        self._await_ready(pipe)
        try:
            pipe.send((raw[:READ_OCTETS], reverse_path))
            answer: _Answer = pipe.recv()
        except (EOFError, OSError):
            if self._end() == -signal.SIGALRM:
                return _Exceeded(f"reading it took longer than {self._bounds[0]:g} seconds")
            return None
        return answer

    def _start(self, method: Literal["fork", "spawn"] = "spawn") -> Connection:
        context: Any = multiprocessing.get_context(method)
        ours: Connection
        ours, theirs = context.Pipe()
        inherited = ours if method == "fork" else None
        arguments = (inherited, theirs, *self._bounds)
        process = context.Process(target=_serve, args=arguments, name="parser", daemon=True)
        try:
            process.start()
        except OSError as error:
            ours.close()
            raise ParserMissing(f"the parser does not start: {error}") from None
        finally:
            theirs.close()
        self._process, self._pipe, self._ready = process, ours, False
        return ours

    def _await_ready(self, pipe: Connection) -> None:
        if self._ready:
            return
        with contextlib.suppress(EOFError, OSError):
            self._ready = pipe.poll(_START_SECONDS) and pipe.recv() == _READY
        if not self._ready:
            raise ParserMissing(f"the parser does not start: its exit code is {self._end()}")

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


def _serve(inherited: Connection | None, pipe: Connection, seconds: float, octets: int, parse: Parse) -> None:
    """The process: mails in, reports out, until the pipe closes. `inherited` is the other end, where it was forked."""
    if inherited is not None:
        inherited.close()  # or the pipe would never close
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides when we end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process wherever it is, deep in a library too
    resource.setrlimit(resource.RLIMIT_AS, (octets, octets))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(EOFError, ConnectionError):
        pipe.send(_READY)
        while True:
            raw, reverse_path = pipe.recv()
            signal.setitimer(signal.ITIMER_REAL, seconds)
            answer = _answer(parse, raw, reverse_path)
            signal.setitimer(signal.ITIMER_REAL, 0)
            pipe.send(answer)


def _answer(parse: Parse, raw: bytes, reverse_path: str) -> _Answer:
    try:
        return parse(raw, reverse_path)
    except MemoryError:
        return _Exceeded("reading it took more memory than allowed")
    except RecursionError:
        return _Exceeded("it is nested too deeply to be read")
    except Exception:
        return _Failed(traceback.format_exc())
