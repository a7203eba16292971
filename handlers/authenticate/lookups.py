"""What checking one mail may cost, and its view of DNS."""

import time
from dataclasses import dataclass

from handlers.ports import LookupFailed, Resolver


@dataclass(frozen=True, slots=True)
class Limits:
    """What one mail may cost. The 10 lookups and 2 void lookups of RFC 7208 4.6.4 hold besides."""

    deadline: float = 5.0  # seconds for everything; what is open then is a temperror
    signatures: int = 10  # DKIM signatures that are verified
    arc_sets: int = 5  # a longer chain fails; each set costs two keys
    spf_queries: int = 30  # DNS queries behind the lookups of one SPF record (an mx may need 11)
    header_octets: int = 100 * 1024
    header_fields: int = 1000
    body_octets: int = 16 * 1024 * 1024
    signature_octets: int = 8192
    key_octets: int = 1024  # of a key record; RSA 4096 needs 740
    key_bits: int = 1024  # RFC 8301 3.2


class Lookups:
    """DNS for one mail: one deadline for all, and no TXT record asked for twice."""

    def __init__(self, resolver: Resolver, seconds: float) -> None:
        self.resolver = resolver
        self._end = time.monotonic() + seconds
        self._txt: dict[str, tuple[bytes, ...]] = {}

    def seconds(self) -> float:
        """What is left. Raises LookupFailed when that is nothing."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise LookupFailed("the deadline of this mail has passed")
        return left

    def txt(self, name: str) -> tuple[bytes, ...]:
        seconds = self.seconds()
        if name not in self._txt:
            self._txt[name] = self.resolver.txt(name, seconds)
        return self._txt[name]
