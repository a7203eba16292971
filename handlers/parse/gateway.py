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
def _signatures() -> dict[str, list[Signature]]:
    """Rows under the first word of their field names behind "x-", as "mimecast"; under "" those that may have any."""
    rows: dict[str, list[Signature]] = {}
    for product, row in phrases.table("gateways").items():
        for field in row["fields"]:
            head, star, tail = field.partition("*")
            kind = Kind(str(row["kind"])) if "kind" in row else None
            signature = Signature(product, (head, tail, bool(star)), str(row.get("value", "")), kind)
            rows.setdefault(_key(head), []).append(signature)
    return rows


def _key(name: str) -> str:
    return name[:2] + name[2:].partition("-")[0]


def recognise(fields: Headers) -> Signature | None:
    """The first product whose signature a header block carries; one that tells the kind before others."""
    rows = _signatures()
    found: Signature | None = None
    for name in fields:
        if name[:2] not in {"x-", "rt"}:
            continue
        candidates: list[Signature] = [*rows.get(_key(name), []), *rows["x-"]]
        for signature in candidates:
            if not _matches(signature, name, fields[name]):
                continue
            if signature.kind:
                return signature
            found = found or signature
    return found


def _matches(signature: Signature, name: str, value: str) -> bool:
    head, tail, star = signature.pattern
    named = name.startswith(head) and name.endswith(tail) if star else name == head
    return named and (not signature.value or signature.value in unfold(value).lower())
