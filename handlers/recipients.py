"""RCPT: which forward paths we take. No database: a token proves itself."""

import fnmatch
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from handlers import verp
from handlers.keys import Keys
from handlers.path import Path
from handlers.verp import Expiry, State, Verified

_ROLES = ("postmaster", "abuse")  # RFC 5321 4.5.1, RFC 2142
_NO_KEY = bytes(32)


class Recipient(StrEnum):
    """What a forward path is to us."""

    TOKEN = "token"  # noqa: S105 - not a password
    BASE = "base"
    ROLE = "role"
    WATCHED = "watched"
    GUESS = "guess"  # it looks like a token of ours, but is none: refused like any other
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Recipients:
    """What we take. `ring` and `today` are asked for each mail: keys rotate and days pass while we run."""

    domain: str
    base_local_part: str
    ring: Callable[[], Keys]
    today: Callable[[], date]
    watched: Sequence[re.Pattern[str]] = ()
    expiry: Expiry = verp.DEFAULT_EXPIRY

    def decide(self, path: Path) -> Recipient:
        """What this forward path is. Everything but GUESS and UNKNOWN is taken."""
        domain = path.domain.removesuffix(".").lower()
        local_part = path.local_part.lower()
        if domain == self.domain or not domain:
            if local_part in _ROLES:
                return Recipient.ROLE
            if local_part.partition("+")[0] == self.base_local_part:
                return Recipient.BASE
            verified = self.verify(path.local_part)
            if verified.accepted:
                return Recipient.TOKEN
            if verified.state is not State.MALFORMED:
                return Recipient.GUESS
        address = f"{local_part}@{domain}"
        if any(pattern.fullmatch(address) for pattern in self.watched):
            return Recipient.WATCHED
        return Recipient.UNKNOWN

    def verify(self, local_part: str) -> Verified:
        """verp.verify() for our domain; what is no token at all costs the same time."""
        verified = verp.verify(local_part, self.domain, self.ring(), self.today(), self.expiry)
        if verified.state is State.MALFORMED:
            hmac.digest(_NO_KEY, local_part.encode("utf-8", "replace")[:64], "sha256")
        return verified


def patterns(globs: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    """Address patterns with * and ? -> compiled, lower case."""
    return tuple(re.compile(fnmatch.translate(glob.lower())) for glob in globs)
