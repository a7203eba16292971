"""bouncemx reclassify: what the present rules say of the captures that are stored."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.cli.options import DEFAULT_DATA_DIR, DataDir, Json

if TYPE_CHECKING:
    from server.reclassify import Change, Tally

_SHOWN = 20  # of the most frequent changes
RuleFiles = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Your rules, in front; may be given again."),
]


def reclassify(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    rules: RuleFiles = None,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Judge the stored captures again, by the present rules.

    Replaces verdicts, and the suppressions that follow from them.
    """
    from server import settings
    from server.cli.output import print_lines
    from server.reading import ReaderMissing
    from server.reclassify import compose

    try:
        with compose(settings.load(data_dir), rules or ()) as reclassifier:
            number, _ = reclassifier.extent()
            with _progress(number, shown=not json) as told:
                tally = reclassifier.run(dry=dry_run, told=told)
    except ReaderMissing as missing:
        print(f"bouncemx: {missing}", file=sys.stderr)
        raise typer.Exit(1) from None
    if json:
        print_lines([_row(tally, dry_run)], json=True, plain=str)
    else:
        _print(tally, dry_run)


@contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[int], object]]:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task("captures", total=total)
        yield lambda captures: bar.advance(task, captures)


def _row(tally: "Tally", dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "captures": tally.captures,
        "changed": tally.changed,
        "unread": tally.unread,
        "no_longer_held": tally.no_longer_held,
        "verdicts": tally.verdicts.total(),
        "kinds": tally.kinds,
        "detectability": tally.detectability,
        "suppressions_added": tally.suppressions_added,
        "suppressions_removed": tally.suppressions_removed,
        "suppressions_changed": tally.suppressions_changed,
        "changes": [_change(tally, change, number) for change, number in tally.verdicts.most_common()],
    }


def _change(tally: "Tally", change: "Change", number: int) -> dict[str, Any]:
    return {
        "before": change.before and change.before._asdict(),
        "after": change.after and change.after._asdict(),
        "verdicts": number,
        "capture": tally.examples[change],
    }


def _print(tally: "Tally", dry_run: bool) -> None:
    from server.cli.output import print_table

    verb = "would change" if dry_run else "changes"
    print(f"{verb} {tally.verdicts.total()} verdicts, {tally.suppressions} suppressions".capitalize(), end=" ")
    print(f"({tally.suppressions_added} new, {tally.suppressions_removed} gone) in {tally.captures} captures.")
    others = {"kinds": tally.kinds, "detectability": tally.detectability, "no longer held": tally.no_longer_held}
    for name, number in others.items():
        if number:
            print(f"{name}: {number}")
    if tally.unread:
        print(f"{tally.unread} could not be read and stay as they are.")
    if tally.verdicts:
        print_table(
            (_change(tally, change, number) for change, number in tally.verdicts.most_common(_SHOWN)),
            json=False,
            columns=[
                ("verdicts", lambda row: row["verdicts"]),
                ("before", lambda row: _told(row["before"])),
                ("after", lambda row: _told(row["after"])),
                ("capture", lambda row: row["capture"]),
            ],
        )


def _told(judged: dict[str, str] | None) -> str:
    return f"{judged['reason']}, {judged['type']}\n{judged['rule']}" if judged else "none"
