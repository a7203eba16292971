"""Whose wording a text notice has (tables/dialects.toml)."""

from functools import cache
from typing import NamedTuple

from handlers.parse import phrases
from handlers.parse.notice import Notice


class Dialect(NamedTuple):
    """One row of the table, folded."""

    name: str
    text: tuple[str, ...]
    subject: tuple[str, ...]
    from_: tuple[str, ...]


@cache
def _dialects() -> list[Dialect]:
    rows = phrases.table("dialects").items()
    return [Dialect(name, *(_folded(row, key) for key in ("text", "subject", "from"))) for name, row in rows]


def _folded(row: dict[str, list[str]], key: str) -> tuple[str, ...]:
    return tuple(phrases.fold(word) for word in row.get(key, ()))


def recognise(notice: Notice) -> str:
    """Name of the dialect, "text" for none that is known."""
    text, subject, sender = notice.folded.text[:6000], notice.folded_subject.text, notice.from_.lower()
    for one in _dialects():
        if (
            any(w in text for w in one.text)
            or any(w in subject for w in one.subject)
            or any(w in sender for w in one.from_)
        ):
            return one.name
    return "text"
