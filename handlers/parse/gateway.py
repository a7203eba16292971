"""Which product wrote a mail, by the header fields it signs with (tables/gateways.toml)."""

from functools import cache
from typing import NamedTuple

from handlers.parse import phrases
from handlers.parse.headers import Headers, unfold
from handlers.words import Kind


class Signature(NamedTuple):
    """One row of the table."""

    product: str
    pattern: tuple[str, str, bool]  # beginning and end of the field's name; whether anything may stand between
    value: str
    kind: Kind | None


@cache
def _signatures() -> tuple[dict[str, list[Signature]], list[Signature]]:
    """Exact names, and those with a "*"."""
    exact: dict[str, list[Signature]] = {}
    wild: list[Signature] = []
    for product, row in phrases.table("gateways").items():
        for field in row["fields"]:
            head, star, tail = field.partition("*")
            kind = Kind(str(row["kind"])) if "kind" in row else None
            signature = Signature(product, (head, tail, bool(star)), str(row.get("value", "")), kind)
            if star:
                wild.append(signature)
            else:
                exact.setdefault(field, []).append(signature)
    return exact, wild


def recognise(fields: Headers) -> Signature | None:
    """The first product whose signature a header block carries; one that tells the kind before others."""
    exact, wild = _signatures()
    found: Signature | None = None
    for name in fields:
        if not name.startswith(("x-", "rt-")):
            continue
        candidates = exact.get(name, []) + [
            s for s in wild if name.startswith(s.pattern[0]) and name.endswith(s.pattern[1])
        ]
        for signature in candidates:
            if signature.value and signature.value not in unfold(fields[name]).lower():
                continue
            if signature.kind:
                return signature
            found = found or signature
    return found
