"""Whether one of the operator's own relays wrote a report itself, and did not only pass it on.

A relay that passes mail on says from whom it came (RFC 5321 4.4: it MUST), in front of all that it was given. So what
stands directly behind our own trace field tells, and nobody but the relay can write there.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from handlers.envelope import Envelope

Network = IPv4Network | IPv6Network

_HEADER_OCTETS = 64 << 10
_FOLD = re.compile(rb"\r?\n[ \t]+")
_END = re.compile(rb"\r?\n\r?\n")
# how MTAs trace what they write themselves; of what they are handed, by a user of the host too, each says more
_FORMS = tuple(
    re.compile(form.replace("HOST", r"(?P<host>[a-z0-9._-]{1,255})"), re.IGNORECASE)
    for form in (
        r"by HOST \([\w./ -]{1,60}\) id [\w.-]{1,40}; [^;]{1,60}",  # Postfix; of a user: (Postfix, from userid 1000)
        r"from (?:debian-exim|exim|mailnull) by HOST with local \(Exim [\w.+-]{1,30}\) id [^;]{1,600}; [^;]{1,60}",
        r"from localhost \(localhost\) by HOST \([\w./+-]{1,80}\) id \w{1,40}; [^;]{1,60}",  # sendmail
    )
)


def by_own_relay(envelope: Envelope, raw: bytes, relays: Sequence[Network]) -> str:
    """The name of the relay, in lower case, where it wrote this mail: one of these networks, from the null reverse
    path, under the name that it gives in HELO. Else "".

    `raw` begins with our own Received field (handlers/received.py).
    """
    if not relays or not envelope.null_reverse_path or not _is_of(envelope.client, relays):
        return ""
    trace = _received(raw)
    if len(trace) != 2:  # ours, and the one of its writer
        return ""
    found = next(filter(None, (form.fullmatch(trace[1]) for form in _FORMS)), None)
    host = found["host"].lower() if found else ""
    return host if host == envelope.helo.lower().removesuffix(".") else ""


def _is_of(client: str, relays: Sequence[Network]) -> bool:
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address  # RFC 4291 2.5.5.2
    return any(address.version == network.version and address in network for network in relays)


def _received(raw: bytes) -> list[str]:
    """The values of the Received fields, unfolded, from the top."""
    header = _END.split(raw[:_HEADER_OCTETS], maxsplit=1)[0]
    lines = _FOLD.sub(b" ", header).splitlines()
    named = (line.partition(b":") for line in lines)
    return [
        " ".join(value.decode("latin-1").split())
        for name, colon, value in named
        if colon and name.strip().lower() == b"received"
    ]
