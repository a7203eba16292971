"""docs/states.md out of handlers/states.py: `python -m tests.docs_states` writes it, a test holds it equal."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from handlers import states
from handlers.states import TABLE, Place, Word

PAGE = Path(__file__).parents[1] / "docs" / "states.md"
_HEAD = """\
# What becomes of a delivery?

A delivery (one recipient of one message) is in one of five states. A soft one may have a `resolution`: why it is soft
without a proven report. The page is made from the table of transitions in `handlers/states.py`.
"""
_TAIL = """\
`relayed` and `expanded` (RFC 3464 2.3.3) say nothing of the end and change nothing. So does a capture that no strong
link ties to the delivery. A temporary failure with a Will-Retry-Until to come (RFC 3464 2.3.9) is a delay.

## Why this order?

The rows stand in an order, and what is heard never leads back: reports may be late, repeated or in any order, and come
to the same state. Of several reports that say the same the earliest counts, by the time it was received.

- **A failure stands above a delivery.** Anybody who has a return path can send a report of success; were it to
  win, it could wipe out a bounce. A mail that was delivered and comes back later did not arrive.
- **An unproven failure stands below a delivery** and is soft: the address stays eligible, and no threshold counts it.
- **An assumption stands below every report.** Silence after a delay may well mean that the mail arrived.
  So `resolution = assumed` counts towards no threshold, and whatever is reported later takes its place.
- **One more delay changes nothing.** The time counts from the first.

## When does an assumption become due?

`pending_hours` (72 where not set) after the first delay was received. The worker looks every few seconds, as far as it
has read the journal: a report that waits there is read first. `since` of such a state is the moment the time was over,
whenever the worker came to look.

## What is told?

Each change is a revision with its cause (`capture`, `clock`, `operator`), in the transaction that made it.
An event goes out where the state or its resolution is another one: `bounce.pending`, `bounce.soft`, `bounce.hard`, and
`bounce.cleared` where a delivery that was pending, assumed or unproven arrived. A replay changes nothing and tells
nothing. An earlier report of the same state that comes late is a revision, and no event.

A token that was minted offline and never registered has no state: its bounces are told once of each kind. When it is
registered later, its captures are matched again: the delivery stands as of when they came, and that is told.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_table(), "", *_diagram(), "", *_words(), "", _TAIL])


def _table() -> Iterator[str]:
    yield f"| | {' | '.join(f'{word}' for word in Word)} |"
    yield "|---" * (len(Word) + 1) + "|"
    for place, row in TABLE.items():
        cells = (_name(to) if to != place else "" for to in row.values())
        yield f"| **{_name(place)}** | {' | '.join(cells)} |"


def _diagram() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    for place in TABLE:
        if place.resolution:
            yield f'    state "{_name(place)}" as {_id(place)}'
    yield f"    [*] --> {_id(states.SENT)}"
    for place, row in TABLE.items():
        for to in dict.fromkeys(row.values()):
            words = [word for word in Word if row[word] == to]
            if to != place:
                yield f"    {_id(place)} --> {_id(to)}: {', '.join(words)}"
    yield "```"


def _words() -> Iterator[str]:
    yield "| heard | |"
    yield "|---|---|"
    source = inspect.getsource(Word)
    lines = source.splitlines()
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield f"| `{node.value.value}` | {lines[node.lineno - 1].partition('  # ')[2]} |"


def _name(place: Place) -> str:
    return f"{place.state}, {place.resolution}" if place.resolution else str(place.state)


def _id(place: Place) -> str:
    return str(place.resolution or place.state)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
