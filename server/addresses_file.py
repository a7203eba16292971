"""Files of addresses that are not to be mailed: CSV with a header, JSON Lines, or an address a line."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from handlers.words import Category, Reason
from server.settings import UserError
from storage.suppressions import Said

_LONGEST = 320  # octets of an address, as where messages are registered
_NAMES = ("address", "category", "reason", "since", "expires_at")
_MOST_TOLD = 10


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that can't be read, and why."""

    line: int
    why: str


def read(path: Path) -> Iterator[Said | Bad]:
    """What each line says. Other columns are passed over. Raises UserError for what is no text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in _rows(file):
                yield row if isinstance(row, Bad) else _said(number, row)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error.reason} at octet {error.start}") from None
    except csv.Error as error:
        raise UserError(f"{path} is no CSV: {error}") from None


def examine(path: Path) -> int:
    """How many addresses it has. Raises UserError that names the lines that can't be read."""
    number = 0
    bad = []
    for each in read(path):
        number += 1
        if isinstance(each, Bad):
            bad.append(each)
    if bad:
        told = "\n".join(f"{path}:{each.line}: {each.why}" for each in bad[:_MOST_TOLD])
        more = f"\n... and {len(bad) - _MOST_TOLD} more" if len(bad) > _MOST_TOLD else ""
        raise UserError(f"{told}{more}\nNothing was imported: mend these lines first.")
    return number


def _rows(file: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | Bad]]:
    first = file.readline()
    file.seek(0)
    if first.lstrip().startswith("{"):
        yield from _json(file)
        return
    names = [name.strip().lower() for name in next(csv.reader([first]), [])]
    if "address" not in names:
        names = ["address"]
        reader = csv.reader(file)
    else:
        reader = csv.reader(file)
        next(reader)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, dict(zip(names, cells, strict=False))


def _json(file: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | Bad]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                yield number, Bad(number, f"no JSON: {error}")
            else:
                yield number, row if isinstance(row, dict) else Bad(number, 'no object: write {"address": ...}')


def _said(number: int, row: Mapping[str, Any]) -> Said | Bad:
    given = {name: str(row[name]).strip() for name in _NAMES if row.get(name) not in (None, "")}
    address = given.get("address", "")
    if "@" not in address[1:-1] or not address.isprintable() or len(address.encode()) > _LONGEST:
        return Bad(number, f"{address[:80]!r} is no address")
    try:
        return Said(
            address,
            Category(given.get("category", Category.OTHER)),
            Reason(given.get("reason", Reason.SUPPRESSED)),
            _moment(given.get("since")),
            _moment(given.get("expires_at")),
        )
    except ValueError as error:
        return Bad(number, f"{error}; docs/words.md has the words, and times are ISO 8601")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
