"""DNS for the handlers: dnspython behind a cache, with a breaker for servers that do not answer."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdata import Rdata

from handlers.ports import LookupFailed, NoSuchName

_LONGEST_TTL = 3600.0  # a poisoned or mistaken answer is forgotten after an hour
_NEGATIVE_TTL = 60.0  # RFC 2308 leaves it to us to cap
_FAILURE_TTL = 30.0  # RFC 9520 3.2: failures are remembered, or one dead zone costs every mail its deadline
_LARGEST_CACHED = 4096  # octets, so that a full cache stays small

_READERS: dict[str, Callable[[Any], object]] = {
    "TXT": lambda rdata: b"".join(rdata.strings),
    "A": lambda rdata: rdata.address,
    "AAAA": lambda rdata: rdata.address,
    "MX": lambda rdata: (rdata.preference, rdata.exchange.to_text(omit_final_dot=True)),
    "PTR": lambda rdata: rdata.target.to_text(omit_final_dot=True),
}


@dataclass(frozen=True, slots=True)
class _Answer:
    records: tuple[Any, ...] = ()
    absent: bool = False  # NXDOMAIN
    failure: str | None = None


class _Cache:
    """Least recently used first out; every entry has its own end."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size, self._clock = size, clock
        self._entries: OrderedDict[tuple[str, str], tuple[float, _Answer]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> _Answer | None:
        with self._lock:
            end, answer = self._entries.get(key, (0.0, None))
            if answer is None or end <= self._clock():
                self._entries.pop(key, None)
                return None
            self._entries.move_to_end(key)
            return answer

    def put(self, key: tuple[str, str], answer: _Answer, seconds: float) -> None:
        with self._lock:
            self._entries[key] = (self._clock() + seconds, answer)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)


@dataclass(slots=True)
class _Breaker:
    """Opens when lookups met silence `failures` times in a row, for `seconds` at a time."""

    failures: int
    seconds: float
    clock: Callable[[], float]
    _silent: int = 0
    _retry_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> bool:
        """Whether a sign of life must come first. Raises LookupFailed while the breaker is open."""
        with self._lock:
            if self._silent < self.failures:
                return False
            if self.clock() < self._retry_at:
                raise LookupFailed("the DNS servers do not answer")
            self._retry_at = self.clock() + self.seconds  # one thread tries, all others fail at once
            return True

    def answered(self) -> None:
        with self._lock:
            self._silent = 0

    def silent(self) -> bool:
        """Whether this silence opens the breaker."""
        with self._lock:
            self._silent += 1
            self._retry_at = self.clock() + self.seconds
            return self._silent >= self.failures


class DnsResolver:
    """handlers.ports.Resolver over the network; one for all threads.

    In: addresses of recursive servers and their port (none: those of /etc/resolv.conf), seconds to wait for
    one server and for one lookup, entries of the cache, silences in a row that open the breaker and seconds
    until it tries again. Raises ValueError for a server that is no address, and dns.resolver.NoResolverConfiguration
    where none are given and the system has none.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        port: int = 53,
        *,
        timeout: float = 1.0,
        lifetime: float = 2.0,
        cache_size: int = 10_000,
        breaker_failures: int = 2,
        breaker_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = list(servers)
            self._resolver.port = port
        self._resolver.timeout = timeout
        self._lifetime = lifetime
        self._cache = _Cache(cache_size, clock)
        self._breaker = _Breaker(breaker_failures, breaker_seconds, clock)

    def txt(self, name: str, seconds: float) -> tuple[bytes, ...]:
        return cast(tuple[bytes, ...], self._lookup(name, "TXT", seconds))

    def a(self, name: str, seconds: float) -> tuple[str, ...]:
        return cast(tuple[str, ...], self._lookup(name, "A", seconds))

    def aaaa(self, name: str, seconds: float) -> tuple[str, ...]:
        return cast(tuple[str, ...], self._lookup(name, "AAAA", seconds))

    def mx(self, name: str, seconds: float) -> tuple[tuple[int, str], ...]:
        return cast(tuple[tuple[int, str], ...], self._lookup(name, "MX", seconds))

    def ptr(self, name: str, seconds: float) -> tuple[str, ...]:
        return cast(tuple[str, ...], self._lookup(name, "PTR", seconds))

    def _lookup(self, name: str, kind: str, seconds: float) -> tuple[Any, ...]:
        key = (name.lower().removesuffix("."), kind)
        answer = self._cache.get(key) or self._ask(key, seconds)
        if answer.failure:
            raise LookupFailed(answer.failure)
        if answer.absent:
            raise NoSuchName(name)
        return answer.records

    def _ask(self, key: tuple[str, str], seconds: float) -> _Answer:
        name, kind = key
        if not name:
            return _Answer(absent=True)
        try:
            absolute = dns.name.from_text(name)
        except (dns.exception.DNSException, ValueError):  # a name that cannot exist: labels, escapes, IDNA
            return _Answer(absent=True)
        if self._breaker.enter() and not self._alive():
            raise LookupFailed("the DNS servers do not answer")
        answer, ttl = self._query(absolute, kind, min(seconds, self._lifetime))
        if sum(map(_octets, answer.records)) <= _LARGEST_CACHED:
            self._cache.put(key, answer, ttl)
        return answer

    def _query(self, name: dns.name.Name, kind: str, lifetime: float) -> tuple[_Answer, float]:
        try:
            found = self._resolver.resolve(
                name, dns.rdatatype.from_text(kind), lifetime=lifetime, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            self._breaker.answered()
            return _Answer(absent=True), _NEGATIVE_TTL
        except (dns.exception.DNSException, OSError) as failure:
            self._note(failure, lifetime)
            # a caller in a hurry that met silence has learnt nothing for the next one
            learnt = _was_answered(failure) or lifetime >= self._lifetime
            return _Answer(failure=f"{kind} {name}: {type(failure).__name__}"), _FAILURE_TTL if learnt else 0.0
        self._breaker.answered()
        if found.rrset is None:
            return _Answer(), _NEGATIVE_TTL
        ttl = min(float(found.chaining_result.minimum_ttl), _LONGEST_TTL)
        return _Answer(tuple(_READERS[kind](rdata) for rdata in _rdatas(found))), ttl

    def _note(self, failure: Exception, lifetime: float) -> None:
        """A server that says SERVFAIL is alive; a wait that the caller cut short proves nothing."""
        if _was_answered(failure):
            self._breaker.answered()
        elif lifetime >= min(self._resolver.timeout, self._lifetime) and self._breaker.silent():
            self._alive()

    def _alive(self) -> bool:
        """Do the servers answer at all. One slow zone must not make them look dead: the root is never slow."""
        try:
            self._resolver.resolve(dns.name.root, "NS", lifetime=self._resolver.timeout, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            pass
        except (dns.exception.DNSException, OSError) as failure:
            if not _was_answered(failure):
                return False
        self._breaker.answered()
        return True


def _was_answered(failure: Exception) -> bool:
    """dnspython keeps (server, tcp, port, error, response) for each try."""
    return any(response is not None for *_, response in getattr(failure, "kwargs", {}).get("errors", ()))


def _rdatas(found: dns.resolver.Answer) -> Sequence[Rdata]:
    return list(found.rrset or ())


def _octets(record: object) -> int:
    return len(record) if isinstance(record, bytes | str) else 64
