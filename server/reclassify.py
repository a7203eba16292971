"""Stored captures read again with the rules of today, and what that changes: a page a transaction.

A capture that can't be read now keeps what was found in it. What was proven when it came stays proven: a token is
verified as of that day, and one whose key is gone by now was verified then. Authentication is not tried again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection

from handlers import pipeline, trust, verp
from handlers.authenticated import Authenticated
from handlers.effects import Policy
from handlers.envelope import Mail
from handlers.events import Event, of_capture
from handlers.pipeline import Ports, Reading
from handlers.tokens import Tokens
from handlers.verp import State, Token, Verified
from handlers.words import Cause, LinkMethod, TrustReason
from server import suppressing
from server.reading import ReaderMissing, started
from server.settings import Settings
from server.suppressing import Effects, Facts
from storage import database, events, replays, revision, states, waiting
from storage.database import Database
from storage.keyring import KeyFile
from storage.ledger import Ledger
from storage.revision import Revised, Stored

log = logging.getLogger("bouncemx.reclassify")

_TOKENS = {str(LinkMethod.TOKEN), str(LinkMethod.BODY_TOKEN)}
_ACCEPTED = {str(State.VALID), str(State.LATE)}


class Judged(NamedTuple):
    """What one recipient came to."""

    reason: str
    type: str
    rule: str


class Change(NamedTuple):
    """A verdict and what takes its place; None where there was none, or is none any more."""

    before: Judged | None
    after: Judged | None


@dataclass(slots=True)
class Tally:
    """What was changed, or would be."""

    captures: int = 0  # that were looked at
    changed: int = 0  # of these
    unread: int = 0  # that could not be read, and keep what they have
    no_longer_held: int = 0
    kinds: int = 0
    detectability: int = 0
    suppressions_added: int = 0
    suppressions_removed: int = 0
    suppressions_changed: int = 0
    verdicts: Counter[Change] = field(default_factory=Counter)
    examples: dict[Change, int] = field(default_factory=dict)  # a capture

    @property
    def suppressions(self) -> int:
        return self.suppressions_added + self.suppressions_removed + self.suppressions_changed


@dataclass(frozen=True, slots=True)
class _Pair:
    """One capture as it is stored and as it is found now."""

    old: Stored
    new: Revised
    follows: Facts
    told: Event | None  # of the capture by itself


class Reclassifier:
    """Goes through the captures of one database."""

    def __init__(self, db: Database, ports: Ports, policy: Policy | None = None) -> None:
        self._db = db
        self._ports = ports.asking_nobody()
        self._policy = policy or Policy()

    def extent(self) -> tuple[int, int | None]:
        """How many captures there are, and the id of the last."""
        with self._db.reader() as connection:
            return revision.extent(connection)

    def run(self, *, dry: bool, told: Callable[[int], object] = lambda captures: None) -> Tally:
        """Revises those that are there now, the oldest first; `told` hears how many were looked at since.

        What was done before it was interrupted is whole, and a new run goes on: what is done changes no more.
        Raises DatabaseUnusable, ReaderMissing.
        """
        tally, effects = Tally(), Effects(self._policy)
        _, last = self.extent()
        after = -1
        while last is not None and (mails := self._page(after, last)):
            readings = self._read(mails)
            tally.captures += len(mails)
            tally.unread += len(mails) - len(readings)
            if dry:
                self._tell(readings, effects, tally)
            else:
                self._revise(readings, tally)
            after = mails[-1].position
            told(len(mails))
        if dry:
            with self._db.reader() as connection:
                effects.settle(connection, dry=True)
            _add_effects(tally, effects)
        return tally

    def match_again(self, mails: Sequence[Mail]) -> Tally:
        """Revises these captures, whose message is registered by now: they wait no more.

        Raises DatabaseUnusable, ReaderMissing.
        """
        readings = self._read(mails)
        tally = Tally(captures=len(mails), unread=len(mails) - len(readings))
        self._replace(readings, tally, Cause.CAPTURE, [mail.position for mail in mails])
        return tally

    def _page(self, after: int, last: int) -> list[Mail]:
        with self._db.reader() as connection:
            return revision.page(connection, after, last)

    def _read(self, mails: Sequence[Mail]) -> list[Reading]:
        """Those that can be read."""
        try:
            found = pipeline.read(mails, self._ports)
        except ReaderMissing:
            raise
        except Exception:
            if len(mails) > 1:
                return [reading for mail in mails for reading in self._read([mail])]
            log.exception("capture %d could not be read", mails[0].position)
            return []
        return [reading for reading in found if isinstance(reading, Reading)]

    def _tell(self, readings: Sequence[Reading], effects: Effects, tally: Tally) -> None:
        with self._db.reader() as connection:
            for pair in self._differing(connection, readings):
                effects.take(pair.old, pair.follows)
                _add_pair(tally, pair)

    def _revise(self, readings: Sequence[Reading], tally: Tally) -> None:
        """Those that differ are looked at twice, so that nobody has to wait for those that don't."""
        with self._db.reader() as connection:
            differing = {pair.old.id for pair in self._differing(connection, readings)}
        if not differing:
            return
        self._replace([each for each in readings if each.mail.position in differing], tally, Cause.OPERATOR)

    def _replace(self, readings: Sequence[Reading], tally: Tally, cause: Cause, done: Sequence[int] = ()) -> None:
        effects = Effects(self._policy)
        with self._db.writer() as connection:
            waiting.hold(connection)
            pairs = list(self._differing(connection, readings, lock=True))
            for pair in pairs:
                effects.take(pair.old, pair.follows)
                revision.replace(connection, pair.old, pair.new)
            followed = effects.settle(connection)
            waiting.done(connection, done)
            touched = {key for pair in pairs for key in revision.deliveries(pair.old, pair.new)}
            changed = states.rejudge(connection, touched, cause, datetime.now(UTC))
            events.put(connection, [*changed, *(pair.told for pair in pairs if pair.told), *followed])
        for pair in pairs:
            _add_pair(tally, pair)
        _add_effects(tally, effects)

    def _differing(self, connection: Connection, readings: Sequence[Reading], *, lock: bool = False) -> Iterator[_Pair]:
        by_id = {reading.mail.position: reading for reading in readings}
        stored = revision.stored(connection, list(by_id), lock=lock)
        found = [
            pipeline.conclude(_as_sent(by_id[old.id], old), self._ports_of(old), Ledger(connection)) for old in stored
        ]
        for old, outcome in zip(stored, replays.without(connection, found), strict=True):
            follows = suppressing.facts(old, outcome, self._policy)
            pair = _Pair(old, revision.revised(outcome), follows, of_capture(outcome))
            if not revision.is_same(old, pair.new):
                yield pair

    def _ports_of(self, old: Stored) -> Ports:
        today, given = old.capture["received_at"].date(), self._ports.tokens
        proven = {
            link["value"]: link["state"]
            for link in old.capture["links"]
            if link["method"] in _TOKENS and link["state"] in _ACCEPTED
        }
        bounced = {(row["token"], verp.fold(row["address"])) for row in old.bounces}
        tokens = TokensOfThen(given.domain, given.ring, lambda: today, given.expiry, proven, frozenset(bounced))
        return replace(self._ports, tokens=tokens)


@dataclass(frozen=True, slots=True)
class TokensOfThen(Tokens):
    """The tokens as of the day that a capture came, with what was proven then."""

    proven: Mapping[str, str] = field(default_factory=dict)  # text of a token -> its state
    bounced: frozenset[tuple[str | None, bytes]] = frozenset()  # text of a token, and a folded address that it is for

    def read(self, address: str) -> Verified | None:
        """As ever; else what was proven, though key, domain or days have changed."""
        verified = Tokens.read(self, address)
        if verified and verified.accepted:
            return verified
        token = verp.verify(address.rpartition("@")[0], self.domain, self.ring(), self.today()).token
        state = self.proven.get(token.text) if token else None
        return Verified(State(state), token) if state else verified

    def is_for(self, token: Token, address: str) -> bool:
        """As ever; else whether it was so then."""
        return Tokens.is_for(self, token, address) or (token.text, verp.fold(address)) in self.bounced


@contextmanager
def compose(settings: Settings, rules: Sequence[Path] = ()) -> Iterator[Reclassifier]:
    """With these rule files in front of those of the settings. Raises UserError, DatabaseUnusable, KeyFileBroken."""
    files = list(dict.fromkeys(path.absolute() for path in (*rules, *settings.rules)))
    settings.data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    url = database.locate(settings.database_url, settings.data_dir)
    database.migrate(url)
    reader = started(settings.limits, files, settings.profile)
    ports = Ports(
        authenticate=pipeline.as_it_came,
        reader=reader,
        tokens=settings.tokens(KeyFile(settings.data_dir).ring),
        flag_separate=settings.separate_notices == "flag",
    )
    with Database(url) as db:
        try:
            reader.await_ready()
            yield Reclassifier(db, ports, settings.policy)
        finally:
            reader.close()


def _as_sent(reading: Reading, old: Stored) -> Reading:
    """With what was found out about the sender when it came."""
    results, reasons = old.capture["authentication"], old.capture["trust_reasons"]
    sender = trust.of_sender(reading.mail.envelope, reading.report, Authenticated(b"", results))
    looked_up = (TrustReason(reason) for reason in reasons if reason in trust.LOOKED_UP)
    return replace(reading, sender=(*sender, *looked_up))


def _add_pair(tally: Tally, pair: _Pair) -> None:
    was, now = pair.old.capture, pair.new.capture
    tally.changed += 1
    tally.no_longer_held += was["held"] is not None and now["held"] is None
    tally.kinds += was["kind"] != now["kind"]
    tally.detectability += was["detectability"] != now["detectability"]
    for change in _changes(was["recipients"], now["recipients"]):
        tally.verdicts[change] += 1
        tally.examples.setdefault(change, pair.old.id)


def _add_effects(tally: Tally, effects: Effects) -> None:
    tally.suppressions_added += effects.added
    tally.suppressions_removed += effects.removed
    tally.suppressions_changed += effects.changed


def _changes(was: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> Iterator[Change]:
    before, after = _judged(was), _judged(now)
    for recipient in {**before, **after}:
        change = Change(before.get(recipient), after.get(recipient))
        if change.before != change.after:
            yield change


def _judged(recipients: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], Judged]:
    """By address, and how many of the same stand before it."""
    seen: Counter[str] = Counter()
    found = {}
    for each in recipients:
        address = each["final_recipient"]
        if each["rule"] is not None:
            found[address, seen[address]] = Judged(each["reason"], each["type"], each["rule"])
        seen[address] += 1
    return found
