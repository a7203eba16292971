"""Parsing in a process of its own, within bounds of time and memory (handlers.ports.Parser).

A mail that exceeds them takes the process down; the next mail gets a new one.
"""

import contextlib
import multiprocessing
import resource
import signal
import threading
from multiprocessing.connection import Connection

from handlers.parse import parse
from handlers.ports import ParserDied
from handlers.report import Report

READ_OCTETS = 4 << 20  # of one mail: what a report says stands before what it brings back (RFC 6522 3)
_JOIN_SECONDS = 1.0


class BoundedParser:
    """One process that parses one mail at a time."""

    def __init__(self, seconds: float, octets: int) -> None:
        """`seconds` and `octets` of memory are what one mail may take."""
        self._seconds = seconds
        self._octets = octets
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._turn = threading.Lock()

    def parse(self, raw: bytes, reverse_path: str) -> Report:
        """Raises ParserDied when the mail exceeded its bounds or brought the process down. For many threads."""
        with self._turn:
            return self._parse(self._pipe or self._start(), raw, reverse_path)

    def _parse(self, pipe: Connection, raw: bytes, reverse_path: str) -> Report:
        try:
            pipe.send((raw[:READ_OCTETS], reverse_path))
            answer = pipe.recv()
        except (EOFError, ConnectionError):
            why = self._end()
            raise ParserDied(why) from None
        if isinstance(answer, Report):
            return answer
        raise ParserDied(answer)

    def warm(self) -> None:
        """Starts the process, so that the first mail needs not wait for it."""
        with self._turn:
            if self._pipe is None:
                self._start()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._end()

    def _start(self) -> Connection:
        ours, theirs = self._context.Pipe()
        bounds = (theirs, self._seconds, self._octets)
        self._process = self._context.Process(target=_serve, args=bounds, name="parser", daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours
        return ours

    def _end(self) -> str:
        """Ends the process; how it ended by itself."""
        if self._pipe is not None:
            self._pipe.close()
        code = None
        if self._process is not None:
            self._process.join(_JOIN_SECONDS)
            code = self._process.exitcode
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None
        if code == -signal.SIGALRM:
            return f"reading it took longer than {self._seconds:g} seconds"
        return "reading it brought the parser down"


def _serve(pipe: Connection, seconds: float, octets: int) -> None:
    """The process: mails in, reports out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides when we end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process wherever it is, deep in a library too
    resource.setrlimit(resource.RLIMIT_AS, (octets, octets))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            raw, reverse_path = pipe.recv()
            signal.setitimer(signal.ITIMER_REAL, seconds)
            answer = _report(raw, reverse_path)
            signal.setitimer(signal.ITIMER_REAL, 0)
            pipe.send(answer)


def _report(raw: bytes, reverse_path: str) -> Report | str:
    try:
        return parse(raw, reverse_path)
    except MemoryError:
        return "reading it took more memory than allowed"
    except RecursionError:
        return "it is nested too deeply to be read"
