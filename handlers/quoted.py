"""What a notice quotes of the message that it is about, without anything that proves it: quoted.toml has the words."""

import re
import tomllib
from functools import cache
from importlib.resources import files

from handlers.report import Report

_LONGEST = 300  # characters of a subject that is kept
_QUOTES = " \t\"'\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d"


def subject(report: Report) -> str | None:
    """The subject of the original: in what was returned, else on a line of the notice that says so."""
    if report.original and report.original.subject:
        return report.original.subject[:_LONGEST]
    line = _line().search(report.text)
    return line["subject"].strip(_QUOTES)[:_LONGEST] or None if line else None


@cache
def _line() -> re.Pattern[str]:
    table = tomllib.loads((files("handlers") / "quoted.toml").read_text("utf-8"))
    words = sorted((word for row in table.values() for word in row["words"]), key=len, reverse=True)
    either = "|".join(re.escape(word) for word in words)
    return re.compile(
        rf"^[ \t>*|\u2022-]{{0,8}}(?:{either})[ \t]{{0,20}}[:\uff1a=][ \t\u3000]*(?P<subject>\S[^\n]*)",
        re.IGNORECASE | re.MULTILINE,
    )
