"""A page of a list, newest first, by cursor: work and memory stay bounded, however long the list is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

SIZE = 50  # rows of a page
LOOKED_AT = 1000  # rows that are searched through for one page

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and where the pages beside this one begin: `before` of the older one, `since` of the newer one."""

    rows: list[Row]
    older: int | None = None
    newer: int | None = None
    looked_at: int = 0


def turn(
    find: Callable[[bool], Iterator[Row]],
    *,
    before: int | None = None,
    since: int | None = None,
    keep: Callable[[Row], Row | None] = lambda row: row,
) -> Page:
    """One page out of `find(newest_first)`, which begins below `before` or above `since` already.

    `keep`: what the page needs of a row; None where the row is not one of those looked for.
    """
    if since is None:
        rows, cursor, looked_at = _take(find(True), keep)
        newer = None if before is None else rows[0]["id"] if rows else max(before - 1, 0)
        return Page(rows, cursor, newer, looked_at)
    rows, cursor, looked_at = _take(find(False), keep)
    rows.reverse()
    return Page(rows, rows[-1]["id"] if rows else since + 1, cursor, looked_at)


def _take(rows: Iterator[Row], keep: Callable[[Row], Row | None]) -> tuple[list[Row], int | None, int]:
    """The matching rows, and the id behind which there are more to look at."""
    found: list[Row] = []
    last = None
    looked_at = 0
    for row in rows:
        if len(found) == SIZE or looked_at == LOOKED_AT:
            return found, last, looked_at
        looked_at += 1
        last = row["id"]
        kept = keep(row)
        if kept is not None:
            found.append(kept)
    return found, None, looked_at
