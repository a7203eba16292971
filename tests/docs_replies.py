"""docs/replies.md, made from the table in handlers/replies.py: `python -m tests.docs_replies` writes it."""

from pathlib import Path

from handlers import replies
from handlers.replies import Reply

PAGE = Path(__file__).parents[1] / "docs" / "replies.md"
_HEAD = """# Replies

Every reply that the SMTP listener says. None repeats what the client sent, none tells what went wrong inside, and a
permanent one (5yz) is only for what the client can mend: our own trouble is always 4yz, so that the client tries
again. 421 always closes the connection.

This page is made from `handlers/replies.py` by `python -m tests.docs_replies`.
"""
_GROUPS = (
    ("Taken", range(200, 400), "Two more have a form of their own: the greeting (220) and the reply to EHLO (250)."),
    ("Try again", range(400, 500), "The client keeps its mail and comes back."),
    ("Refused", range(500, 600), "Trying again would bring the same."),
)


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_section(*group) for group in _GROUPS)


def _section(title: str, codes: range, about: str) -> str:
    rows = [_row(name, reply) for name, reply in replies.table().items() if reply.code in codes]
    return f"\n## {title}\n\n{about}\n\n| reply | text | name | closes |\n|---|---|---|---|\n" + "".join(rows)


def _row(name: str, reply: Reply) -> str:
    code = f"{reply.code} {reply.enhanced_status}".strip()
    text = reply.text.replace("<", "&lt;").replace(">", "&gt;")
    return f"| {code} | {text} | `{name}` | {'yes' if reply.close else ''} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
