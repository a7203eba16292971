"""The tokens of our own return-path domain, with today's date and the keys as they are now."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from handlers import verp
from handlers.keys import Keys
from handlers.verp import Expiry, State, Token, Verified

_NO_KEY = bytes(32)


@dataclass(frozen=True, slots=True)
class Tokens:
    """`ring` and `today` are asked for each token: keys rotate and days pass while we run."""

    domain: str  # lower case, without a final dot
    ring: Callable[[], Keys]
    today: Callable[[], date]
    expiry: Expiry = verp.DEFAULT_EXPIRY

    def at_once(self) -> Self:
        """The same with the keys and the date of this moment: a look at the keys is one at a file."""
        ring, today = self.ring(), self.today()
        return replace(self, ring=lambda: ring, today=lambda: today)

    def verify(self, local_part: str) -> Verified:
        """verp.verify() for our domain; what is no token at all costs about the same time."""
        verified = verp.verify(local_part, self.domain, self.ring(), self.today(), self.expiry)
        if verified.state is State.MALFORMED:
            hmac.digest(_NO_KEY, local_part.encode("utf-8", "replace")[:64], "sha256")
        return verified

    def is_ours(self, address: str) -> bool:
        """Whether this is an address of our return-path domain."""
        return address.rpartition("@")[2].removesuffix(".").lower() == self.domain

    def read(self, address: str) -> Verified | None:
        """None for an address of another domain, and for what looks like no token."""
        if not self.is_ours(address):
            return None
        verified = self.verify(address.rpartition("@")[0])
        return None if verified.state is State.MALFORMED else verified

    def is_for(self, token: Token, address: str) -> bool:
        """Whether a verified token was minted for this address."""
        return verp.is_for(token, address, self.ring())
