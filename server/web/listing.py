"""A page of a list, newest first, by cursor: work and memory stay bounded, however long the list is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

SIZE = 50  # rows of a page
LOOKED_AT = 2000  # rows that are searched through for one page

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
    matches: Callable[[Row], bool] = lambda row: True,
) -> Page:
    """One page out of `find(newest_first)`, which begins below `before` or above `since` already."""
    if since is None:
        rows, cursor, looked_at = _take(find(True), matches)
        newer = None if before is None else rows[0]["id"] if rows else max(before - 1, 0)
        return Page(rows, cursor, newer, looked_at)
    rows, cursor, looked_at = _take(find(False), matches)
    rows.reverse()
    return Page(rows, rows[-1]["id"] if rows else since + 1, cursor, looked_at)


def _take(rows: Iterator[Row], matches: Callable[[Row], bool]) -> tuple[list[Row], int | None, int]:
    """The matching rows, and the id behind which there are more to look at."""
    found: list[Row] = []
    last = None
    looked_at = 0
    for row in rows:
        if len(found) == SIZE or looked_at == LOOKED_AT:
            return found, last, looked_at
        looked_at += 1
        last = row["id"]
        if matches(row):
            found.append(row)
    return found, None, looked_at
