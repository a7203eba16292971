"""docs/trust.md out of handlers/trust.py: `python -m tests.docs_trust` writes its table, a test holds it equal."""

import ast
import inspect
from pathlib import Path

from handlers import trust, words

PAGE = Path(__file__).parents[1] / "docs" / "trust.md"
_START, _END = "<!-- table -->\n", "<!-- end -->\n"


def page() -> str:
    """The page with its table as it must be."""
    head, _, rest = PAGE.read_text().partition(_START)
    _, _, tail = rest.partition(_END)
    return head + _START + table() + _END + tail


def table() -> str:
    """A row for each reason."""
    said = _comments()
    rows = [f"| `{reason}` | {part} | {said[reason.name]} |" for reason, part in trust.PARTS.items()]
    return "\n".join(["", "| reason | it | that is |", "|---|---|---|", *rows, "", ""])


def _comments() -> dict[str, str]:
    source = inspect.getsource(words.TrustReason)
    (body,) = ast.parse(source).body
    assert isinstance(body, ast.ClassDef)
    lines = source.splitlines()
    return {
        member.targets[0].id: lines[member.lineno - 1].partition("  # ")[2].partition("  # noqa")[0]
        for member in body.body
        if isinstance(member, ast.Assign) and isinstance(member.targets[0], ast.Name)
    }


if __name__ == "__main__":
    PAGE.write_text(page())
