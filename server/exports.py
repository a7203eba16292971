"""Suppressions as lists for other programs: CSV, JSON Lines, and an access map of Postfix."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

NAMES = ("address", "account", "type", "category", "reason", "since", "expires_at", "source")
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


def written(rows: Iterable[dict[str, Any]], form: Format) -> Iterator[str]:
    """The list, a line a piece. A Postfix table leaves out the addresses that it can't hold."""
    if form is Format.CSV:
        yield ",".join(NAMES) + "\n"
    told: set[str] = set()
    for row in rows:
        if form is Format.JSONL:
            yield json.dumps({name: row[name] for name in NAMES}, separators=(",", ":")) + "\n"
        elif form is Format.CSV:
            yield _csv(row)
        elif _POSTFIX_KEY.fullmatch(row["address"]) and row["address"] not in told:
            told.add(row["address"])
            yield f"{row['address']} REJECT suppressed: {row['reason']} since {row['since'][:10]}\n"  # access(5)


def _csv(row: dict[str, Any]) -> str:
    """RFC 4180; a cell that a spreadsheet would take for a formula begins with an apostrophe."""
    line = io.StringIO()
    cells = ("" if row[name] is None else str(row[name]) for name in NAMES)
    csv.writer(line, lineterminator="\n").writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    return line.getvalue()
