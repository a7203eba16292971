"""Blind spots: how many bounce notices nobody could tie to a message, against how many bounces were seen.

Every count reads an index and no capture: a month of a million captures takes under a second.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, func, literal_column, select

from handlers.words import Detectability
from storage.tables import capture, hand_link

TOP = 100  # domains at most: those with the most undetectable notices
# as a literal: an index of some rows serves only a statement that says so itself
_UNDETECTABLE = capture.c.detectability == literal_column(f"'{Detectability.UNDETECTABLE}'")
_SEEN = (Detectability.MATCHED, Detectability.UNMATCHED, Detectability.UNDETECTABLE)
_NUMBER = func.count().label("number")


@dataclass(slots=True)
class _Spot:
    """What was seen of one gateway, or of one domain."""

    seen: Counter[str] = field(default_factory=Counter)  # by detectability
    reasons: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    linked_by_hand: int = 0


def listing(connection: Connection, since: datetime) -> Iterator[dict[str, Any]]:
    """All, then by gateway, then by receiving domain, as `blindspots --json` shows them.

    Each with the most undetectable first. Of gateways all that were seen (null: none was recognised), of domains
    those with an undetectable notice, TOP at most.
    """
    gateways = _spots(connection, capture.c.gateway, since)
    yield _shape("all", None, _sum(gateways.values()))
    yield from _shapes("gateway", gateways)
    most = _most_undetectable(connection, since)
    yield from _shapes("receiving_domain", _spots(connection, capture.c.receiving_domain, since, among=most))


def _spots(
    connection: Connection, by: Column[Any], since: datetime, among: list[str] | None = None
) -> dict[str | None, _Spot]:
    spots: dict[str | None, _Spot] = defaultdict(_Spot)
    period: list[ColumnElement[bool]] = [capture.c.received_at >= since]
    if among is not None:
        period.append(by.in_(among))
    for state in _SEEN:  # one after the other, so that each is a range of the index
        of_state = select(by, _NUMBER).where(capture.c.detectability == state, *period).group_by(by)
        for name, number in connection.execute(of_state):
            spots[name].seen[state] = number
    detail = select(by, capture.c.undetectable_reason, capture.c.language, _NUMBER).where(_UNDETECTABLE, *period)
    for name, reason, language, number in connection.execute(
        detail.group_by(by, capture.c.undetectable_reason, capture.c.language)
    ):
        spots[name].reasons[reason or "unknown"] += number
        spots[name].languages[language or "unknown"] += number
    linked = select(by, _NUMBER).join_from(hand_link, capture, hand_link.c.capture_id == capture.c.id)
    standing = linked.where(hand_link.c.undone_at.is_(None), _UNDETECTABLE, *period)
    for name, number in connection.execute(standing.group_by(by)):
        spots[name].linked_by_hand = number
    return spots


def _most_undetectable(connection: Connection, since: datetime) -> list[str]:
    domain = capture.c.receiving_domain
    named = select(domain).where(_UNDETECTABLE, capture.c.received_at >= since, domain.is_not(None))
    return list(connection.execute(named.group_by(domain).order_by(_NUMBER.desc(), domain).limit(TOP)).scalars())


def _sum(spots: Any) -> _Spot:
    total = _Spot()
    for each in spots:
        total.seen += each.seen
        total.reasons += each.reasons
        total.languages += each.languages
        total.linked_by_hand += each.linked_by_hand
    return total


def _shapes(by: str, spots: dict[str | None, _Spot]) -> Iterator[dict[str, Any]]:
    rows = (_shape(by, name, spot) for name, spot in spots.items())
    yield from sorted(rows, key=lambda row: (-row["undetectable"], -row["bounces"], row["name"] or ""))


def _shape(by: str, name: str | None, spot: _Spot) -> dict[str, Any]:
    return {
        "by": by,
        "name": name,
        "bounces": spot.seen.total(),
        "matched": spot.seen[Detectability.MATCHED],
        "unmatched": spot.seen[Detectability.UNMATCHED],
        "undetectable": spot.seen[Detectability.UNDETECTABLE],
        "linked_by_hand": spot.linked_by_hand,
        "reasons": dict(spot.reasons.most_common()),
        "languages": dict(spot.languages.most_common()),
    }
