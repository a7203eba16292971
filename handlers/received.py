"""Our own trace line (RFC 5321 4.4), in front of every stored mail."""

import re
from email.utils import format_datetime

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
        f"\t{format_datetime(envelope.received_at)}\r\n"
    ).encode()


def _clean(text: str) -> str:
    return _NOT_PLAIN.sub("?", text[:255])
