"""RCPT: which forward paths we take. No database: a token proves itself."""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from handlers.path import Path
from handlers.tokens import Tokens
from handlers.verp import State

_ROLES = ("postmaster", "abuse")  # RFC 5321 4.5.1, RFC 2142


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
    """What we take."""

    tokens: Tokens
    base_local_part: str
    watched: Sequence[re.Pattern[str]] = ()

    def decide(self, path: Path) -> Recipient:
        """What this forward path is. Everything but GUESS and UNKNOWN is taken."""
        domain = path.domain.removesuffix(".").lower()
        local_part = path.local_part.lower()
        if domain == self.tokens.domain or not domain:
            if local_part in _ROLES:
                return Recipient.ROLE
            if local_part.partition("+")[0] == self.base_local_part:
                return Recipient.BASE
            verified = self.tokens.verify(path.local_part)
            if verified.accepted:
                return Recipient.TOKEN
            if verified.state not in (State.MALFORMED, State.EXPIRED):  # what we once signed nobody guessed
                return Recipient.GUESS
        address = f"{local_part}@{domain}"
        if any(pattern.fullmatch(address) for pattern in self.watched):
            return Recipient.WATCHED
        return Recipient.UNKNOWN


def patterns(globs: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    """Address patterns with * and ? -> compiled, lower case."""
    return tuple(re.compile(fnmatch.translate(glob.lower())) for glob in globs)
