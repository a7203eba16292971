"""The words of RFC 5321 for one received mail."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the SMTP session said of one mail (RFC 5321 2.3.1)."""

    reverse_path: str  # without angle brackets; "" is the null reverse path (RFC 5321 4.5.5)
    forward_paths: tuple[str, ...]  # as received, case kept
    helo: str  # the argument of EHLO or HELO
    client: str  # IP address, the one behind a trusted proxy
    received_at: datetime  # UTC
    protocol: str = "ESMTP"  # RFC 3848 keyword: SMTP, ESMTP, ESMTPS, UTF8SMTP, UTF8SMTPS
    tls: str | None = None  # e.g. "TLSv1.3 TLS_AES_256_GCM_SHA384"

    @property
    def null_reverse_path(self) -> bool:
        return self.reverse_path == ""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail out of the journal: its position is the capture's key."""

    position: int
    envelope: Envelope
    raw: bytes  # CRLF lines, our Received line first
    received: int | None = None  # octets as it came, where `raw` was changed since

    @property
    def size(self) -> int:
        """Octets of the mail as it came."""
        return len(self.raw) if self.received is None else self.received
