"""Lists for other programs: CSV, JSON Lines, and of suppressions an access map of Postfix."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

NAMES = ("address", "account", "type", "category", "reason", "since", "expires_at", "source")
CONTACT = ("address", "message_id", "category", "reason", "resolution", "since")
# what a text file that postmap reads can hold as a key (postmap(1)): no white space, no comment
_POSTFIX_KEY = re.compile(r'[^\s#"\x00-\x20\x7f][^\s\x00-\x20\x7f]*@[^\s@\x00-\x20\x7f]+')
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would reckon with


class Format(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSONL = "jsonl"
    POSTFIX = "postfix"


MEDIA_TYPES = {Format.CSV: "text/csv", Format.JSONL: "application/jsonl", Format.POSTFIX: "text/plain"}
FILES = {Format.CSV: "suppressions.csv", Format.JSONL: "suppressions.jsonl", Format.POSTFIX: "suppressed"}


def written(
    rows: Iterable[dict[str, Any]], form: Format, names: Sequence[str] = NAMES, left_out: list[str] | None = None
) -> Iterator[str]:
    """The list, a line a piece. In Postfix's, access(5), each comes once; what can't be a key goes to `left_out`."""
    if form is Format.CSV:
        yield ",".join(names) + "\n"
    told: set[str] = set()
    for row in rows:
        if form is Format.JSONL:
            yield json.dumps({name: row[name] for name in names}, separators=(",", ":")) + "\n"
        elif form is Format.CSV:
            yield _csv(row[name] for name in names)
        elif not _POSTFIX_KEY.fullmatch(row["address"]):
            if left_out is not None:
                left_out.append(row["address"])
        elif row["address"] not in told:
            told.add(row["address"])
            yield f"{row['address']} REJECT suppressed: {row['reason'] or 'everywhere'} since {row['since'][:10]}\n"


def _csv(values: Iterable[Any]) -> str:
    """RFC 4180; a cell that a spreadsheet would take for a formula begins with an apostrophe."""
    line = io.StringIO()
    cells = ("" if value is None else str(value) for value in values)
    csv.writer(line, lineterminator="\n").writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    return line.getvalue()
