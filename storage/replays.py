"""Reports of what was reported before: a delivery fails once, however often somebody says so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from handlers import pipeline
from handlers.outcome import Bounce, Outcome
from storage.columns import address_key
from storage.tables import bounce

_CHUNK = 500  # both databases bound the number of parameters of a statement
_FIRST = func.min(bounce.c.capture_id)
_OTHERS = bounce.c.capture_id.not_in(bindparam("judged", expanding=True))
_OF_DELIVERIES = (
    select(bounce.c.delivery_id, bounce.c.type, _FIRST)
    .where(bounce.c.proven, bounce.c.delivery_id.in_(bindparam("deliveries", expanding=True)), _OTHERS)
    .group_by(bounce.c.delivery_id, bounce.c.type)
)
_OF_TOKENS = (
    select(bounce.c.token, bounce.c.address_key, bounce.c.type, _FIRST)
    .where(
        bounce.c.proven,
        bounce.c.delivery_id.is_(None),
        bounce.c.address_key.in_(bindparam("addresses", expanding=True)),
        bounce.c.token.in_(bindparam("tokens", expanding=True)),
        _OTHERS,
    )
    .group_by(bounce.c.token, bounce.c.address_key, bounce.c.type)
)

_Key = tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """One proven bounce of the outcomes that are judged."""

    capture: int
    ordinal: int
    bounce: Bounce

    @property
    def key(self) -> _Key:
        """The delivery, or without one the token and its address; and the type: who was soft can still turn hard."""
        found = self.bounce
        if found.delivery:
            return (found.delivery.id, str(found.verdict.type))
        return (found.token, address_key(found.address), str(found.verdict.type))


def without(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, of which what an earlier capture has proven already proves nothing. Costs two queries at most."""
    told = sorted(
        (
            _Told(outcome.mail.position, ordinal, each)
            for outcome in outcomes
            for ordinal, each in enumerate(outcome.bounces)
            if each.proven
        ),
        key=lambda each: each.capture,
    )
    if not told:
        return list(outcomes)
    first = dict(_stored(connection, told))
    again: dict[int, set[int]] = {}
    for each in told:
        if first.setdefault(each.key, each.capture) < each.capture:
            again.setdefault(each.capture, set()).add(each.ordinal)
        first[each.key] = min(first[each.key], each.capture)
    return [pipeline.told_again(each, again.get(each.mail.position, ())) for each in outcomes]


def _stored(connection: Connection, told: Sequence[_Told]) -> Iterator[tuple[_Key, int]]:
    """The first capture that proved each, apart from those that are judged."""
    judged = list({each.capture for each in told})
    deliveries = list({each.bounce.delivery.id for each in told if each.bounce.delivery})
    for start in range(0, len(deliveries), _CHUNK):
        asked = {"deliveries": deliveries[start : start + _CHUNK], "judged": judged}
        for *key, capture in connection.execute(_OF_DELIVERIES, asked):
            yield tuple(key), capture
    offline = [each.bounce for each in told if each.bounce.delivery is None]
    for start in range(0, len(offline), _CHUNK):
        chunk = offline[start : start + _CHUNK]
        asked_for = {
            "tokens": list({each.token for each in chunk}),
            "addresses": list({address_key(each.address) for each in chunk}),
            "judged": judged,
        }
        for *key, capture in connection.execute(_OF_TOKENS, asked_for):
            yield tuple(key), capture
