"""What captures say of deliveries, judged again: the states are those that the captures say now."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from handlers import verp
from handlers.keys import account_key
from handlers.words import Cause
from server.rematch import Rematcher
from storage import accounts, events, messages, states, tables
from storage.database import Database
from storage.keyring import KeyFile
from tests.integration.reclassify_fixture import GONE, NOW, UNKNOWN, Shop, notice
from tests.integration.test_storage_states import ARRIVED, DELAYED, FAILED, START, Make, deliveries, put, says

TROUBLE = """
[[rule]]
id = "own.trouble"
reason = "system_error"
match = "no such user"
example = "550 5.1.1 no such user here"
"""
MOVED = """
[[rule]]
id = "own.moved"
reason = "mailbox_moved"
match = "no such user"
example = "550 5.1.1 no such user here"
"""
FULL = "552 5.2.2 Mailbox is full"


def standing(shop: Shop) -> list[tuple[Any, ...]]:
    with shop.database.reader() as connection:
        found = connection.execute(select(tables.delivery_state).order_by(tables.delivery_state.c.delivery_id))
        return [(row.state, row.resolution, row.reason, row.since) for row in found]


def revisions(shop: Shop) -> list[tuple[Any, ...]]:
    with shop.database.reader() as connection:
        found = connection.execute(select(tables.state_change).order_by(tables.state_change.c.id))
        return [(row.from_state, row.to_state, row.cause, row.capture_id) for row in found]


def told(shop: Shop) -> list[str]:
    with shop.database.reader() as connection:
        found = events.after(connection, None, 0, 100).events
        return [each["type"] for each in found if each["data"].get("state")]  # without those of suppressions


def test_reclassifying_is_a_revision_by_the_operator(shop: Shop) -> None:
    capture = shop.bounce("ann@x.example", GONE)
    assert standing(shop) == [("hard", None, "user_unknown", NOW)]
    shop.reclassify(TROUBLE)
    assert standing(shop) == [("soft", None, "system_error", NOW)]
    shop.reclassify()
    assert standing(shop) == [("hard", None, "user_unknown", NOW)]
    assert revisions(shop) == [
        ("sent", "hard", "capture", capture),
        ("hard", "soft", "operator", capture),
        ("soft", "hard", "operator", capture),
    ]
    assert told(shop) == ["bounce.hard", "bounce.soft", "bounce.hard"]


def test_another_reason_of_the_same_state_is_told_to_nobody(shop: Shop) -> None:
    shop.bounce("ann@x.example", GONE)
    shop.reclassify(MOVED)
    assert standing(shop) == [("hard", None, "mailbox_moved", NOW)]
    assert len(revisions(shop)) == 2
    assert told(shop) == ["bounce.hard"]


def test_the_other_captures_of_a_delivery_still_count(shop: Shop) -> None:
    path = shop.mint("ann@x.example")
    shop.take(path, notice("ann@x.example", GONE))
    shop.take(path, notice("ann@x.example", FULL), at=NOW + timedelta(hours=2))
    shop.reclassify(TROUBLE)
    assert standing(shop) == [("hard", None, "mailbox_full", NOW + timedelta(hours=2))]


def test_a_dry_run_changes_no_state(shop: Shop) -> None:
    shop.bounce("ann@x.example", GONE)
    before = standing(shop), revisions(shop)
    shop.reclassify(TROUBLE, dry=True)
    assert (standing(shop), revisions(shop)) == before


def test_what_is_registered_later_gets_its_state(shop: Shop) -> None:
    """The capture told the account already; with the delivery known it stands, as of when the capture came."""
    with shop.database.writer() as connection:
        owner = accounts.ensure(connection, "default").id
    key = account_key(KeyFile(shop.settings.data_dir).ring(), owner)
    token = verp.mint(key, "rp.example", "ann@x.example", NOW.date())
    capture = shop.take(f"{token}@rp.example", notice("ann@x.example", UNKNOWN))
    assert (standing(shop), told(shop)) == ([], ["bounce.hard"])
    with shop.database.writer() as connection:
        messages.register(connection, "default", [("ann@x.example", token)], message_id="<m@s.example>")
    assert Rematcher(shop.database, shop.ports).step() == 1
    assert standing(shop) == [("hard", None, "user_unknown", NOW)]
    assert revisions(shop) == [("sent", "hard", "capture", capture)]
    assert told(shop) == ["bounce.hard", "bounce.hard"]


@pytest.mark.parametrize("seed", range(4))
def test_judged_again_without_a_change_nothing_changes(database: Database, outcome_of: Make, seed: int) -> None:
    chance = random.Random(seed)
    ours = deliveries(database, 6)
    for position in range(30):
        whose = chance.choice(ours)
        what = chance.choice((FAILED, ARRIVED, DELAYED)[whose.id % 3 :])
        put(database, says(outcome_of, what, position, whose, chance.randint(0, 90)))
    with database.writer() as connection:
        states.assume(connection, START + timedelta(hours=100), timedelta(hours=72))
        keys = [each.id for each in ours]
        before = states.standings(connection, keys)
        assert states.rejudge(connection, keys, Cause.OPERATOR, START) == []
        assert states.standings(connection, keys) == before
    assert len({each.place for each in before.values()}) > 1


def test_without_its_capture_nothing_was_heard(database: Database, outcome_of: Make) -> None:
    ann, bob = deliveries(database, 2)
    put(database, says(outcome_of, FAILED, 10, ann), says(outcome_of, ARRIVED, 20, bob))
    with database.writer() as connection:
        connection.execute(tables.bounce.delete())
        connection.execute(tables.capture.delete())
        gone = states.rejudge(connection, [ann.id, bob.id], Cause.OPERATOR, START)
        assert states.standings(connection, [ann.id, bob.id]) == {}
    assert [(each.type, each.delivery) for each in gone] == [("bounce.cleared", ann.id)]
