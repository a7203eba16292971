"""What authentication found out about the sender of a capture, in plain values."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The results of one mail, and the mail as it is to be stored."""

    raw: bytes  # our Authentication-Results first, and none that came under our name (RFC 8601 5)
    results: dict[str, str] = field(default_factory=dict)  # RFC 8601 words: {"spf": "pass", "dkim": "none", ...}
    helo: str = ""  # domain of HELO, where SPF passed for it (RFC 7208 2.3)
    signers: tuple[str, ...] = ()  # domains whose DKIM signatures are good
    author: str = ""  # the address in From; "" where it is not exactly one
    own_relay: str = ""  # its name, where a relay of the operator's own wrote the mail (handlers/generated.py)
