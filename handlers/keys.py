"""The keys behind signed return paths: master secrets on a ring, and the account keys derived from them.

A master secret never leaves the server. An application gets the key of its own account, mints with it offline,
and can mint for nobody else. docs/tokens.md is the specification.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Protocol

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 section 6, lower case
KIDS = 1 << 5
ACCOUNTS = 1 << 20
SECRET_OCTETS = 32
_TO_DIGITS = bytes.maketrans(ALPHABET.encode(), b"0123456789abcdefghijklmnopqrstuv")
_PREFIX = "bmxk1-"
_CHECK_WIDTH = 5


class UnusableKey(ValueError):
    """A key's text is damaged, or a number is out of its range. The message says which."""


def to_base32(number: int, width: int) -> str:
    """`number` in exactly `width` characters, most significant first. Raises UnusableKey when it does not fit."""
    if not 0 <= number < 1 << 5 * width:
        raise UnusableKey(f"{number} does not fit in {5 * width} bits")
    return "".join([ALPHABET[number >> shift & 31] for shift in range(5 * width - 5, -1, -5)])


def from_base32(text: str) -> int:
    """The number behind lower-case characters of ALPHABET. Raises ValueError for any other character."""
    # int() would also take signs, spaces and underscores: callers check the alphabet first
    return int(text.encode("ascii").translate(_TO_DIGITS), 32)


def leading_bits(digest: bytes, bits: int) -> int:
    """The first `bits` bits of a digest as a number."""
    octets = (bits + 7) // 8
    return int.from_bytes(digest[:octets], "big") >> (8 * octets - bits)


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Signs the tokens of one account. It is a secret of that account."""

    kid: int  # which master secret it was derived from
    account: int
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_range("kid", self.kid, KIDS)
        _check_range("account", self.account, ACCOUNTS)
        _check_secret(self.secret)

    def __str__(self) -> str:
        """The text form for offline minting: bmxk1-, kid, account, secret, and a check against typing errors."""
        secret = int.from_bytes(self.secret, "big") << 4  # 256 bits fill 52 characters but for 4 bits
        body = _PREFIX + to_base32(self.kid, 1) + to_base32(self.account, 4) + to_base32(secret, 52)
        return body + _check(body)

    @classmethod
    def from_text(cls, text: str) -> "AccountKey":
        """Reads the text form, any case. Raises UnusableKey."""
        text = text.strip().lower()
        body, check = text[:-_CHECK_WIDTH], text[-_CHECK_WIDTH:]
        letters = body.removeprefix(_PREFIX)
        if not text.startswith(_PREFIX) or len(letters) != 57 or not set(letters) <= set(ALPHABET):
            raise UnusableKey(f"not an account key: {_PREFIX} and 62 characters of a-z and 2-7 are expected")
        secret, rest = divmod(from_base32(letters[5:]), 16)
        if check != _check(body) or rest:
            raise UnusableKey("the account key is damaged: its check characters do not fit")
        return cls(from_base32(letters[0]), from_base32(letters[1:5]), secret.to_bytes(SECRET_OCTETS, "big"))


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One secret of the server, from which every account's key is derived."""

    kid: int
    secret: bytes = field(repr=False)
    created: datetime  # UTC
    retired: datetime | None = None  # since when a newer key signs

    def __post_init__(self) -> None:
        _check_range("kid", self.kid, KIDS)
        _check_secret(self.secret)


@dataclass(frozen=True, slots=True)
class Ring:
    """The live master keys: one signs, the others verify until their tokens have expired."""

    masters: Mapping[int, MasterKey]  # by kid
    active: int  # kid of the one that signs

    def __post_init__(self) -> None:
        if self.active not in self.masters:
            raise UnusableKey(f"the active key {self.active} is not on the ring")

    def account_key(self, account: int, kid: int) -> AccountKey | None:
        """The key that signed for an account under `kid`; None when that key is not on the ring."""
        master = self.masters.get(kid)
        return None if master is None else _derive(master.secret, kid, account)


class Keys(Protocol):
    """What verifying needs: a Ring has it."""

    def account_key(self, account: int, kid: int) -> AccountKey | None:
        """The key that signed for an account under `kid`; None when that key is not known."""
        ...


def account_key(ring: Ring, account: int) -> AccountKey:
    """The key that an account signs with now. Raises UnusableKey for an account id over 20 bits."""
    return _derive(ring.masters[ring.active].secret, ring.active, account)


@lru_cache(maxsize=4096)  # a bound: forged tokens name accounts at will
def _derive(master: bytes, kid: int, account: int) -> AccountKey:
    secret = hmac.digest(master, b"bouncemx account\0%d" % account, "sha256")
    return AccountKey(kid, account, secret)


def _check(body: str) -> str:
    return to_base32(leading_bits(hashlib.sha256(body.encode("ascii")).digest(), 25), _CHECK_WIDTH)


def _check_range(name: str, number: int, limit: int) -> None:
    if not 0 <= number < limit:
        raise UnusableKey(f"{name} {number} is not between 0 and {limit - 1}")


def _check_secret(secret: bytes) -> None:
    if len(secret) != SECRET_OCTETS:
        raise UnusableKey(f"a secret has {SECRET_OCTETS} octets, not {len(secret)}")
