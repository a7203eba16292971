"""docs/words.md out of handlers/words.py: `python -m tests.docs_words` writes it, a test holds it equal."""

import ast
import inspect
from pathlib import Path

from handlers import words

PAGE = Path(__file__).parents[1] / "docs" / "words.md"
_INTRODUCTION = """\
# What do the words mean?

The same words stand in code, columns, JSON, logs, pages and docs. This page is made from `handlers/words.py`.

| word | meaning |
|---|---|
| account | a tenant: its keys, messages, suppressions |
| message | an original message that an account sent |
| delivery | one recipient of one message: what bounces |
| return path | the address that a delivery was sent with; its local part is the **token** |
| capture | one mail received on a return path or a watched address, raw and whole, with its envelope |
| report | what a capture says, parsed |
| link | evidence that ties a capture to a delivery |
| bounce | the verdict on one delivery drawn from a capture |
| suppression | an address that an account must not mail again |
"""


def page() -> str:
    """The whole page."""
    source = inspect.getsource(words)
    sections = [
        _section(node, source.splitlines()) for node in ast.parse(source).body if isinstance(node, ast.ClassDef)
    ]
    return "\n".join([_INTRODUCTION, *sections])


def _section(node: ast.ClassDef, lines: list[str]) -> str:
    rows = [f"## {node.name}", "", ast.get_docstring(node) or "", "", "| value | |", "|---|---|"]
    for member in node.body:
        if isinstance(member, ast.Assign) and isinstance(member.value, ast.Constant):
            comment = lines[member.lineno - 1].partition("  # ")[2].partition("  # noqa")[0]
            rows.append(f"| `{member.value.value}` | {'' if comment.startswith('noqa') else comment} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
