"""The day an automatic reply gives: first day back where it says one, else the last day it names."""

import re
from datetime import date
from email.utils import parsedate_tz
from functools import cache
from typing import NamedTuple

from handlers.parse import phrases

_NUMBER = re.compile(
    r"(?<![\d.])(?P<y1>20\d\d)[-/.](?P<m1>\d{1,2})[-/.](?P<d1>\d{1,2})(?!\d)"
    r"|(?P<y2>20\d\d)\s?[\u5e74\ub144]\s?(?P<m2>\d{1,2})\s?[\u6708\uc6d4]\s?(?P<d2>\d{1,2})\s?[\u65e5\uc77c]"
    r"|(?P<m3>\d{1,2})\s?[\u6708\uc6d4]\s?(?P<d3>\d{1,2})\s?[\u65e5\uc77c]"
    r"|(?<![\d.:])(?P<d4>\d{1,2})(?P<s4>[./-])\s?(?P<m4>\d{1,2})(?P=s4)?\s?(?P<y4>(?<=[./-]|\s)(?:20)?\d\d(?!\d|[:.]\d))?(?![\d:%])"
)
_WORD = re.compile(r"[^\W\d_]+")
_DAY_BEFORE = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|\u00ba|\.)?[ .-]{0,3}(?:de |of |di |den |d')?\Z")
_DAY_AFTER = re.compile(r"\.?[ -]{1,2}(?:the )?(\d{1,2})(?:st|nd|rd|th)?(?![\d:])")
_YEAR = re.compile(r"\.?[ ,-]{0,3}(?:de |del |of |av )?(20\d\d)(?!\d)")
LOOK_BEHIND = 40  # characters before (and in verb-final languages behind) a date in which "back" counts


class Day(NamedTuple):
    """One date in a text."""

    start: int
    end: int
    month: int
    day: int
    year: int | None


@cache
def _months() -> dict[str, int]:
    names: dict[str, int] = {}
    for entry in phrases.table("dates").values():
        for number, words in enumerate(entry["months"], 1):
            for word in words.split():
                if not word[0].isdigit():
                    names.setdefault(phrases.fold(word), number)
    return names


@cache
def _back() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Words right before a date, and words behind it."""
    words = sorted({phrases.fold(w) for e in phrases.table("dates").values() for w in e["back"]}, key=len, reverse=True)
    each = "|".join(re.escape(word) for word in words)
    before = re.compile(rf"(?:^|[^\w])(?:{each})[\s,:(]{{0,3}}(?:[^\W\d_]{{1,12}}[\s,.]{{1,2}}){{0,3}}(?:the )?\Z")
    behind = re.compile(
        rf"[^\n.!?\u3002]{{0,25}}(?:{'|'.join(re.escape(w) for w in words if not w.isascii() or w in _VERB_LAST)})"
    )
    return before, behind


@cache
def _until() -> re.Pattern[str]:
    """Words right before a date that has no year: without one of them "3/4" is a room or a share."""
    words = {phrases.fold(w) for e in phrases.table("dates").values() for w in (*e["until"], *e["back"])}
    each = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?:^|[\W\d])(?:{each})[\s:(-]{{0,3}}(?:[^\W\d_]{{1,12}}[\s,.]{{1,2}})?\Z|\d[-\s]{{1,3}}\Z")


_VERB_LAST = frozenset(
    {"donecegim", "itibaren", "wieder", "zuruck", "weer aanwezig", "tillbaka", "tilbake", "tilbage", "takaisin"}
)


def returns_on(text: str, sent: str, language: str | None) -> str | None:
    """ISO date, or None. `text` is folded; `sent` is the Date field, whose year completes a date without one."""
    base = _sent(sent)
    days = sorted(_numeric(text, language, sent)) + _named(text)
    days.sort()
    if not days:
        return None
    before, behind = _back()
    chosen = [d for d in days if before.search(text[max(0, d.start - LOOK_BEHIND) : d.start])]
    chosen = chosen or [d for d in days if behind.match(text, d.end)]
    return _iso((chosen or days)[-1], base)


def _sent(value: str) -> date | None:
    try:
        parsed = parsedate_tz(value[:80])
        return date(*parsed[:3]) if parsed else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _iso(day: Day, base: date | None) -> str | None:
    year = day.year or (base.year if base else None)
    if year is None:
        return None
    try:
        found = date(year, day.month, day.day)
        if base and not day.year and (base - found).days > 60:
            found = date(year + 1, day.month, day.day)  # away over New Year
    except ValueError:
        return None
    if base and not -1 <= (found - base).days <= 800:
        return None
    return found.isoformat()


def _named(text: str) -> list[Day]:
    """ "5 May 2026", "May 5th, 2026", "5. Mai", "den 5 maj"."""
    out: list[Day] = []
    months = _months()
    for word in _WORD.finditer(text):
        month = months.get(word[0])
        if not month:
            continue
        before = _DAY_BEFORE.search(text, max(0, word.start() - 12), word.start())
        after = None if before else _DAY_AFTER.match(text, word.end())
        number = before or after
        if not number or not 1 <= int(number[1]) <= 31:
            continue
        start = before.start() if before else word.start()
        end = after.end() if after else word.end()
        year = _YEAR.match(text, end)
        out.append(Day(start, year.end() if year else end, month, int(number[1]), int(year[1]) if year else None))
    return out


def _dated(found: re.Match[str], text: str) -> bool:
    """ "13.11." or "until 13/11", but no "11.30" or "3/4"."""
    if found["s4"] == "-":
        return False
    if found["s4"] == "." and text[found.end("m4") : found.end("m4") + 1] == ".":
        return True
    return _until().search(text[max(0, found.start() - LOOK_BEHIND) : found.start()]) is not None


def _numeric(text: str, language: str | None, sent: str) -> list[Day]:
    american = language == "en" and re.search(r"-0[4-9]\d\d|-10\d\d|[ECMP][SD]T", sent) is not None
    out: list[Day] = []
    for found in _NUMBER.finditer(text):
        day = found["d1"] or found["d2"] or found["d3"] or found["d4"]
        month = found["m1"] or found["m2"] or found["m3"] or found["m4"]
        year = found["y1"] or found["y2"] or found["y4"]
        if found["s4"] and not year and not _dated(found, text):
            continue
        if found["s4"] == "/" and ((american and int(day) <= 12) or int(month) > 12):
            day, month = month, day
        if 1 <= int(month) <= 12 and 1 <= int(day) <= 31:
            full = (int(year) + 2000 if int(year) < 100 else int(year)) if year else None
            out.append(Day(found.start(), found.end(), int(month), int(day), full))
    return out
