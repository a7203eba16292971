"""Whose wording a text notice has (tables/dialects.toml)."""

from functools import cache
from typing import NamedTuple

from handlers.parse import phrases
from handlers.parse.notice import Notice


class Marker(NamedTuple):
    """Words that tell a dialect, folded, and where they stand."""

    dialect: str
    where: str  # "text", "subject", "from"
    words: str


@cache
def _markers() -> list[Marker]:
    """Row by row: the order counts."""
    rows = phrases.table("dialects").items()
    return [
        Marker(name, where, phrases.fold(words))
        for name, row in rows
        for where in ("text", "subject", "from")
        for words in row.get(where, ())
    ]


def recognise(notice: Notice) -> str:
    """Name of the dialect, "text" for none that is known."""
    places = {
        "text": notice.folded.text[:6000],
        "subject": notice.folded_subject.text,
        "from": notice.from_.lower(),
    }
    for dialect, where, words in _markers():
        if words in places[where]:
            return dialect
    return "text"
