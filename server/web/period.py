"""The periods that the overview looks back on, and their parts: the bars of its chart."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Period(StrEnum):
    """How far back."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Part:
    """One bar: from `start` to before `end`."""

    start: datetime
    end: datetime
    name: str


_PARTS = {
    Period.DAY: (timedelta(hours=1), 24, "%H:00"),
    Period.WEEK: (timedelta(hours=6), 28, "%a %H:00"),
    Period.MONTH: (timedelta(days=1), 30, "%d %b"),
}


def parts(period: Period, now: datetime) -> list[Part]:
    """The parts of the period, oldest first, on whole hours or days of UTC; the last one holds `now`."""
    width, number, name = _PARTS[period]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    last = now - (now - epoch) % width
    starts = [last - width * back for back in reversed(range(number))]
    return [Part(start, start + width, start.strftime(name)) for start in starts]
