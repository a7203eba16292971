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

_START_SECONDS = 30.0


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
            pipe.send((raw, reverse_path))
            if not pipe.poll(self._seconds):
                self._end()
                raise ParserDied(f"reading it took longer than {self._seconds:g} seconds")
            answer = pipe.recv()
        except (EOFError, ConnectionError):
            self._end()
            raise ParserDied("reading it brought the parser down") from None
        if isinstance(answer, Report):
            return answer
        raise ParserDied(answer)

    def close(self) -> None:
        self._end()

    def _start(self) -> Connection:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._octets), name="parser", daemon=True)
        process.start()
        theirs.close()
        if not ours.poll(_START_SECONDS) or ours.recv() != "ready":
            process.kill()
            raise OSError("the parser process does not start")
        self._process, self._pipe = process, ours
        return ours

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(5)
        self._process = self._pipe = None


def _serve(pipe: Connection, octets: int) -> None:
    """The process: mails in, reports out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides when we end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (octets, octets))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send("ready")
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            raw, reverse_path = pipe.recv()
            pipe.send(_report(raw, reverse_path))


def _report(raw: bytes, reverse_path: str) -> Report | str:
    try:
        return parse(raw, reverse_path)
    except MemoryError:
        return "reading it took more memory than allowed"
    except RecursionError:
        return "it is nested too deeply to be read"
