"""Signed return paths: make, find and verify the token in a local part. docs/tokens.md is the specification.

A token stands alone: it names its account, its day and (hashed) its recipient, and proves that we made it. So a
forged or expired return path is refused at RCPT without a database. Text from outside never raises here.
"""

import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

from handlers.keys import ALPHABET, AccountKey, Keys, from_base32, leading_bits, to_base32

# RFC 5321 4.5.3.1.1 bounds a local part to 64 octets, but XVERP puts a whole address into one
_LONGEST = 320
_EPOCH = date(2020, 1, 1)
_ID_BITS = 40
_HASH_BITS = 25
_MAC_BITS = 70
_MAC_WIDTH = 14

_LOWER = f"[{ALPHABET}]"
_ANY_CASE = f"[{ALPHABET}A-Z]"
_PLAIN = re.compile(f"b{_LOWER}{{35}}")
_DELIVERY = re.compile(rf"([Bb]{_ANY_CASE}{{35}})(?:\+.*)?", re.DOTALL)
# Postfix puts the recipient behind the base as `+user=domain`, delimiters of `-=+` (postconf: verp_delimiter_filter).
# A domain may hold a hyphen, so only `=` is taken before it; the last one, because a user may hold others.
_XVERP = re.compile(
    rf"([Xx]{_ANY_CASE}{{30}})"
    r"(?:[-+=]([^\x00-\x20\x7f@\ud800-\udfff]+=[^\x00-\x20\x7f@=+\ud800-\udfff]+)(?:\+[^=]*)?|\+[^=]*)?"
)
_TAG = "[0-9A-Za-z]{6,20}"  # ten characters in the draft, other lengths in the field; no name of a wrapper, no token
_WRAPPERS = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII | re.DOTALL)
    for pattern in (
        rf"prvs={_TAG}[=/](.+)",  # BATV, draft-levine-smtp-batv 3
        rf"prvs=(.+)[=/]{_TAG}(?:\+.*)?",  # its other order, as some write it
        r"btv1==[^=]+==(.+)",
        r"SRS0[-+=][^=]+=[^=]+=[^=]+=(.+)",  # hash, time, domain, local part
        r"SRS1[-+=][^=]+=[^=]+=[-+=][^=]+=[^=]+=[^=]+=(.+)",  # hash, forwarder, and what SRS0 was
    )
)
_DEEPEST = 4


class State(StrEnum):
    """What verify() found."""

    VALID = "valid"
    LATE = "late"  # older than a queue keeps mail, still taken
    EXPIRED = "expired"  # signed by us, but too old or dated ahead
    BAD_MAC = "bad_mac"
    UNKNOWN_KEY = "unknown_key"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Expiry:
    """For how many days a token is taken."""

    valid_days: int = 90
    late_days: int = 180
    ahead_days: int = 2  # clocks of applications differ


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. Only a Verified one that is valid, late or expired can be believed."""

    text: str  # lower case: `b` and 35 characters, or the 31 of an XVERP base
    kid: int
    account: int
    day: int  # since 2020-01-01
    id: int
    recipient_hash: int | None  # None in an XVERP base
    recipient: str | None = None  # XVERP: the address that the MTA wrote behind the base, which nothing signs

    @property
    def minted_on(self) -> date:
        return _EPOCH + timedelta(days=self.day)


@dataclass(frozen=True, slots=True)
class Verified:
    """The answer about one local part."""

    state: State
    token: Token | None = None  # None when malformed

    @property
    def accepted(self) -> bool:
        return self.state is State.VALID or self.state is State.LATE


DEFAULT_EXPIRY = Expiry()


def mint(key: AccountKey, domain: str, recipient: str, today: date, random_id: int | None = None) -> str:
    """The local part of the return path for one delivery: 36 characters of a-z and 2-7.

    `domain` is the return path's. Raises UnusableKey when the id or the day does not fit.
    """
    address_hash = leading_bits(_recipient_digest(key, fold(recipient)), _HASH_BITS)
    return _sign(key, domain, "b" + _body(key, today, random_id) + to_base32(address_hash, 5))


def mint_base(key: AccountKey, domain: str, today: date, random_id: int | None = None) -> str:
    """The signed base of one message for XVERP: 31 characters. The MTA appends `+user=domain` for each recipient."""
    return _sign(key, domain, "x" + _body(key, today, random_id))


def unwrap(local_part: str) -> str | None:
    """The token that stands in a local part: lower case, bare, or `base+user=domain`. None where there is none.

    Takes off what MTAs on the way put around it: quotes, BATV, SRS, an appended +tag, another case.
    """
    if len(local_part) > _LONGEST:
        return None
    text = _unquote(local_part)
    for _ in range(_DEEPEST):
        if match := _DELIVERY.fullmatch(text):
            return match[1].lower()
        if match := _XVERP.fullmatch(text):
            return match[1].lower() + ("+" + match[2] if match[2] else "")
        inner = next((match[1] for wrapper in _WRAPPERS if (match := wrapper.fullmatch(text))), None)
        if inner is None:
            return None
        text = inner
    return None


def verify(local_part: str, domain: str, keys: Keys, today: date, policy: Expiry = DEFAULT_EXPIRY) -> Verified:
    """Whether a return path's local part is ours, for this domain, and of which day. Never raises for bad input."""
    text = local_part if _PLAIN.fullmatch(local_part) else unwrap(local_part)
    if text is None:
        return Verified(State.MALFORMED)
    token, mac = _read(text)
    key = keys.account_key(token.account, token.kid)
    if key is None:
        return Verified(State.UNKNOWN_KEY, token)
    if not hmac.compare_digest(_mac(key, token.text[:-_MAC_WIDTH], domain).to_bytes(9), mac.to_bytes(9)):
        return Verified(State.BAD_MAC, token)
    return Verified(_state_of_age((today - _EPOCH).days - token.day, policy), token)


def is_for(token: Token, address: str, keys: Keys) -> bool:
    """Whether a verified token was minted for this address, whatever MTAs did to its case, quotes or labels.

    An XVERP base was minted for nobody: whoever has seen it can write a recipient behind it.
    """
    if token.recipient_hash is None or len(address) > _LONGEST:
        return False
    key = keys.account_key(token.account, token.kid)
    return key is not None and any(
        leading_bits(_recipient_digest(key, spelling), _HASH_BITS) == token.recipient_hash
        for spelling in _spellings(address)
    )


@lru_cache(maxsize=256)  # the same few addresses, at every step of a mail
def fold(address: str) -> bytes:
    """The form of an address that is hashed: equal for all the ways in which MTAs write the same mailbox.

    RFC 5321 2.4 lets a local part depend on case and warns against doing so; MTAs and gateways do change it, and no
    two recipients of a sender differ in case alone. Quotes add nothing (RFC 5321 4.1.2). NFC: RFC 6532 3.1.
    """
    local_part, at, domain = address.rpartition("@")
    plain = _unquote(local_part) + at + domain.removesuffix(".")
    return unicodedata.normalize("NFC", plain).encode("utf-8", "backslashreplace").lower()


def same_mailbox(one: str, other: str) -> bool:
    """Whether two addresses are ways of writing one: case, quotes, A-labels and U-labels make no difference."""
    return fold(one) in _spellings(other)


def _body(key: AccountKey, today: date, random_id: int | None) -> str:
    number = secrets.randbits(_ID_BITS) if random_id is None else random_id
    day = (today - _EPOCH).days
    return to_base32(key.kid, 1) + to_base32(key.account, 4) + to_base32(day, 3) + to_base32(number, 8)


def _sign(key: AccountKey, domain: str, body: str) -> str:
    return body + to_base32(_mac(key, body, domain), _MAC_WIDTH)


def _hmac(secret: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256. A copy of a keyed one: hmac.digest() lets other threads in, and then waits for its turn."""
    mac = _keyed(secret).copy()
    mac.update(data)
    return mac.digest()


@lru_cache(64)  # accounts that are busy now
def _keyed(secret: bytes) -> hmac.HMAC:
    return hmac.new(secret, digestmod="sha256")


def _mac(key: AccountKey, body: str, domain: str) -> int:
    folded = domain.encode("utf-8", "backslashreplace").lower().removesuffix(b".")
    digest = _hmac(key.secret, b"bouncemx token\0%b@%b" % (body.encode("ascii"), folded))
    return leading_bits(digest, _MAC_BITS)


def _recipient_digest(key: AccountKey, folded: bytes) -> bytes:
    return _hmac(key.secret, b"bouncemx recipient\0" + folded)


def _read(text: str) -> tuple[Token, int]:
    """The fields and the MAC of what unwrap() gave."""
    base, _, behind = text.partition("+")
    number = from_base32(base[1:])
    mac, number = number & (1 << _MAC_BITS) - 1, number >> _MAC_BITS
    recipient_hash = None
    if base[0] == "b":
        recipient_hash, number = number & (1 << _HASH_BITS) - 1, number >> _HASH_BITS
    return Token(
        text=base,
        kid=number >> 75,
        account=number >> 55 & 0xFFFFF,
        day=number >> 40 & 0x7FFF,
        id=number & 0xFF_FFFF_FFFF,
        recipient_hash=recipient_hash,
        recipient="@".join(behind.rsplit("=", 1)) if behind else None,
    ), mac


def _state_of_age(days: int, policy: Expiry) -> State:
    if -policy.ahead_days <= days <= policy.valid_days:
        return State.VALID
    return State.LATE if policy.valid_days < days <= policy.late_days else State.EXPIRED


def _unquote(local_part: str) -> str:
    if len(local_part) > 1 and local_part[0] == local_part[-1] == '"':
        return re.sub(r"\\(.)", r"\1", local_part[1:-1])
    return local_part


def _spellings(address: str) -> set[bytes]:
    """The folded address, and the same with its domain in A-labels and in U-labels (RFC 5890 2.3.2.1)."""
    folded = fold(address)
    if folded.isascii() and b"xn--" not in folded:
        return {folded}
    local_part, at, domain = folded.decode().rpartition("@")
    labels = domain.split(".")
    return {folded} | {fold(local_part + at + ".".join(map(spell, labels))) for spell in (_to_a_label, _to_u_label)}


def _to_a_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def _to_u_label(label: str) -> str:
    try:
        return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
    except (ValueError, OverflowError):  # not punycode (RFC 3492): the label stands for itself
        return label
