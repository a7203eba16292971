"""What becomes of suppressions when the verdicts of stored captures change.

A suppression belongs to one capture. When that one says no more that the address is dead, another capture that does
takes it over, and only without one it goes. It comes only of a capture that did not say so before: where one did and
there is none, a person has taken it back. What a person said is never touched.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from handlers import apply
from handlers.bounce import Verdict
from handlers.message import Account
from handlers.outcome import Bounce, Suppression
from handlers.report import RecipientStatus
from handlers.words import Action, BounceType, Category, Reason
from storage import revision
from storage.revision import Key, Stored


@dataclass(frozen=True, slots=True)
class Owner:
    """The capture that an address is suppressed for."""

    capture: int
    suppression: Suppression
    since: datetime


class Effects:
    """The suppressions as they are to be, over those that are stored; write() makes both one."""

    def __init__(self) -> None:
        self.added = self.removed = self.changed = 0
        self._owners: dict[Key, Owner | None] = {}  # None: to be taken back
        self._said: dict[Key, dict[int, Owner | None]] = {}  # by capture, where it differs from what is stored
        self._passed: dict[Key, int] = {}  # the last bounce whose capture was no heir; it becomes none any more

    def take(self, connection: Connection, old: Stored, now: Mapping[Key, Owner]) -> None:
        """What follows from one capture is now this."""
        before = follows(old)
        for key in {**_keys(old), **now}:
            new = now.get(key)
            if (key in before) != (new is not None):
                self._said.setdefault(key, {})[old.id] = new
            capture, content = self._owner(connection, key)
            if capture == old.id:
                self._keep(connection, key, old.id, content, new)
            elif content is None and new is not None and key not in before:
                self._owners[key] = new
                self.added += 1

    def write(self, connection: Connection) -> None:
        """Store them, in the transaction that take() read in."""
        for key, owner in self._owners.items():
            if owner is None:
                revision.release(connection, key)
            else:
                revision.suppress(connection, key, owner.suppression, owner.since, owner.capture)

    def _owner(self, connection: Connection, key: Key) -> tuple[int | None, tuple[str, ...] | None]:
        """The capture, None where a person said so; type, category and reason, None where nobody is suppressed."""
        if key in self._owners:
            owner = self._owners[key]
            return (owner.capture, _content(owner.suppression)) if owner else (None, None)
        row = revision.suppressing(connection, [key]).get(key)
        return (row["capture_id"], (row["type"], row["category"], row["reason"])) if row else (None, None)

    def _keep(
        self, connection: Connection, key: Key, capture: int, content: tuple[str, ...] | None, new: Owner | None
    ) -> None:
        if new is None:
            heir = self._owners[key] = self._heir(connection, key, capture)
            self.removed += heir is None
        elif _content(new.suppression) != content:
            self._owners[key] = new
            self.changed += 1

    def _heir(self, connection: Connection, key: Key, without: int) -> Owner | None:
        """Another capture that says that the address is dead."""
        said = self._said.get(key, {})
        for number, capture in revision.dead(connection, key, self._passed.get(key, 0)):
            if capture != without and capture not in said:
                for stored in revision.stored(connection, [capture]):
                    if key in (found := follows(stored)):
                        return found[key]
            self._passed[key] = number
        return next((said[capture] for capture in sorted(said) if said[capture] and capture != without), None)


def differ(connection: Connection, old: Stored, now: Mapping[Key, Owner]) -> bool:
    """Whether suppressions are to be changed for a capture whose verdicts stay."""
    keys = {**_keys(old), **now}
    found = revision.suppressing(connection, list(keys)) if keys else {}
    return any(
        row["capture_id"] == old.id
        and (key not in now or _content(now[key].suppression) != (row["type"], row["category"], row["reason"]))
        for key, row in found.items()
    )


def owners(capture: int, since: datetime, found: Iterable[Suppression]) -> dict[Key, Owner]:
    """The suppressions that follow from a capture, by what they are known by."""
    return {revision.key_of(each): Owner(capture, each, since) for each in found}


def follows(stored: Stored) -> dict[Key, Owner]:
    """What apply() makes of a capture as it is stored."""
    found = apply.suppressions([_bounce(row, stored.capture["recipients"]) for row in stored.bounces])
    return owners(stored.id, stored.capture["received_at"], found)


def _bounce(row: RowMapping, recipients: Iterable[Mapping[str, Any]]) -> Bounce:
    final = next((each["final_recipient"] for each in recipients if _is_of(each, row)), "")
    action = Action(row["action"]) if row["action"] else None
    verdict = Verdict(
        Reason(row["reason"]), BounceType(row["type"]), Category(row["category"]), row["rule"], guess=row["guess"]
    )
    account = Account(row["account_id"], "")  # nobody reads the name
    told = RecipientStatus(final, action=action)
    return Bounce(row["address"], account, None, row["token"], told, verdict, row["proven"])


def _is_of(recipient: Mapping[str, Any], bounce: RowMapping) -> bool:
    """Whether the bounce was drawn from this recipient of the report."""
    return all(recipient[name] == bounce[name] for name in ("action", "status", "smtp_code", "diagnostic")) and (
        bounce["address"] in (recipient["address"], recipient["original_recipient"], recipient["final_recipient"])
    )


def _keys(stored: Stored) -> dict[Key, None]:
    return {Key(row["address_key"], row["account_id"]): None for row in stored.bounces}


def _content(suppression: Suppression) -> tuple[str, ...]:
    return (str(suppression.type), str(suppression.category), str(suppression.reason))
