"""What one client may take, and all together: connections, guesses at tokens, mail in flight."""

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from server.settings import Limits

_REMEMBERED_GUESSERS = 10_000


@dataclass(slots=True)
class _Guesses:
    since: float
    number: int = 0


class Usage:
    """Shared by all sessions of one intake."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """`clock`: seconds, monotonic."""
        self.limits = limits
        self._clock = clock
        self.connections = 0
        self._addresses: Counter[str] = Counter()
        self._networks: Counter[str] = Counter()
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()
        self._in_flight = 0

    def connect(self, address: str) -> bool:
        """Counts a connection of this address; False where it is one too many (it is not counted then)."""
        network = network_of(address)
        if (
            self.connections >= self.limits.connections
            or self._addresses[address] >= self.limits.connections_per_address
            or self._networks[network] >= self.limits.connections_per_network
        ):
            return False
        self.connections += 1
        self._addresses[address] += 1
        self._networks[network] += 1
        return True

    def disconnect(self, address: str) -> None:
        self.connections -= 1
        _release(self._addresses, address)
        _release(self._networks, network_of(address))

    def guessed(self, address: str) -> None:
        """Somebody at this address tried a forged token."""
        guesses = self._guesses.get(address)
        now = self._clock()
        if guesses is None or now - guesses.since > self.limits.guess_window:
            guesses = self._guesses[address] = _Guesses(now)
        guesses.number += 1
        self._guesses.move_to_end(address)
        if len(self._guesses) > _REMEMBERED_GUESSERS:
            self._guesses.popitem(last=False)

    def is_guessing(self, address: str) -> bool:
        """Whether this address has guessed too often within the window."""
        guesses = self._guesses.get(address)
        return (
            guesses is not None
            and guesses.number >= self.limits.guesses
            and self._clock() - guesses.since <= self.limits.guess_window
        )

    def reserve(self, octets: int) -> bool:
        """Room for mail that is being received; False where there is none."""
        if self._in_flight + octets > self.limits.in_flight_octets:
            return False
        self._in_flight += octets
        return True

    def release(self, octets: int) -> None:
        self._in_flight -= octets


def network_of(address: str) -> str:
    """The /24 (IPv4) or /64 (IPv6) that an address is in: what one party is usually given."""
    if ":" not in address:
        return address.rpartition(".")[0]
    try:
        return ipaddress.IPv6Address(address.partition("%")[0]).exploded[:19]
    except ValueError:
        return address


def _release(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
