"""What commands print: JSON lines for scripts, tables for people."""

import json as jsonlib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from storage import jsontext

Row = dict[str, Any]
_PIPE_COLUMNS = 200  # what reads a pipe folds no lines


def print_lines(rows: Iterable[Row], *, json: bool, plain: Callable[[Row], str]) -> None:
    """A line a row."""
    for row in rows:
        sys.stdout.write((dumps(row) if json else plain(row)) + "\n")


def print_table(rows: Iterable[Row], *, json: bool, columns: Sequence[tuple[str, Callable[[Row], object]]]) -> None:
    """JSON lines, or a table with these columns; what comes from outside is shown, never interpreted."""
    if json:
        print_lines(rows, json=True, plain=str)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, _ in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value(row)) for _, value in columns))
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    if table.row_count:
        console.print(table)
    else:
        console.print("Nothing yet.")


def fields(*names: str) -> list[tuple[str, Callable[[Row], object]]]:
    """Columns that show fields as they are."""
    return [(name, itemgetter(name)) for name in names]


# readers of lines take some of these for a line's end (U+0085, U+2028), and terminals some for orders (U+009B)
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def dumps(row: Row) -> str:
    """One line, whoever reads it; what standard output can't say stays escaped."""
    text = jsontext.dumps(row)
    if text.isascii() and "\x7f" not in text:
        return text
    try:
        text.encode(sys.stdout.encoding or "utf-8", "surrogatepass")
    except UnicodeEncodeError:
        return jsonlib.dumps(row, separators=(",", ":"))
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _cell(value: object) -> Text:
    shown = "" if value is None else str(value)
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown))
