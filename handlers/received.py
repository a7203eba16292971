"""Our own trace line (RFC 5321 4.4), in front of every stored mail."""

import re
from email.utils import formatdate
from functools import lru_cache

from handlers.envelope import Envelope

_NOT_PLAIN = re.compile(r"[^!-\[\]-~]|[()<>;]")


def received_line(envelope: Envelope, hostname: str) -> bytes:
    """The Received field with its CRLF. Only the client's address is proven; what it calls itself is cleaned."""
    client = f"[IPv6:{envelope.client}]" if ":" in envelope.client else f"[{envelope.client}]"
    tls = f" ({envelope.tls})" if envelope.tls else ""
    # RFC 5321 7.2: more than one recipient is not told
    for_ = f"\r\n\tfor <{_clean(envelope.forward_paths[0])}>" if len(envelope.forward_paths) == 1 else ""
    return (
        f"Received: from {_clean(envelope.helo) or 'unknown'} ({client})\r\n"
        f"\tby {hostname} (bouncemx) with {envelope.protocol}{tls}{for_};\r\n"
        f"\t{_date(int(envelope.received_at.timestamp()))}\r\n"
    ).encode()


@lru_cache(maxsize=4)  # it is the same for all mails of a second
def _date(second: int) -> str:
    return formatdate(second).replace("-0000", "+0000")  # we know our zone (RFC 5322 3.3)


def _clean(text: str) -> str:
    return _NOT_PLAIN.sub("?", text[:255])
