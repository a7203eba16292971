"""Suppressions that wait until it is known that no wave brought them."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from handlers.words import Category, NoticeForm, Reason
from server.sweeping import Sweep
from storage import accounts, erasure, incidents, lifting, suppressions
from storage.lifting import Word
from tests.integration.world_fixture import DAY, HOUR, MINUTE, NOW, POLICY, SIX, World


class TestWaiting:
    @pytest.mark.parametrize(
        ("reason", "category", "form", "waits"),
        [
            (*SIX[0], NoticeForm.SEPARATE, False),
            (*SIX[1], NoticeForm.DSN, False),
            (*SIX[1], NoticeForm.TEXT, True),
            (*SIX[1], NoticeForm.SEPARATE, True),
            *[(*each, NoticeForm.DSN, True) for each in SIX[2:]],
        ],
    )
    def test_what_is_not_said_of_the_address(
        self, world: World, reason: Reason, category: Category, form: NoticeForm, waits: bool
    ) -> None:
        world.take("ann@x.example", "acme", NOW, reason, category, form=form)
        world.wait(NOW + HOUR - MINUTE)
        assert world.eligible("ann@x.example", "acme") is waits
        with world.database.reader() as connection:
            assert [each["held_until"] for each in suppressions.listing(connection, state=None, now=NOW)] == [
                (NOW + HOUR).isoformat() if waits else None
            ]
        assert world.told() == ([] if waits else ["suppression.added"])
        for _ in range(2):
            world.wait(NOW + HOUR)
        assert not world.eligible("ann@x.example", "acme")
        assert [change for _, change in world.log()] == (["held", "added"] if waits else ["added"])
        assert world.told() == ["suppression.added"]

    def test_a_replay_and_a_later_one_change_nothing(self, world: World) -> None:
        old, new = (world.bounce("ann@x.example", "acme", NOW + each, *SIX[3]) for each in (HOUR * 0, HOUR / 2))
        world.store(old)
        world.wait(NOW + HOUR)
        world.store(new, old)
        assert not world.eligible("ann@x.example", "acme")
        world.wait(NOW + 2 * HOUR)
        assert [change for _, change in world.log()] == ["held", "added"]

    def test_the_longer_one_stands_once_it_waits_no_more(self, world: World) -> None:
        world.take("ann@x.example", "acme", NOW, *SIX[3])
        world.wait(NOW + HOUR)
        world.take("ann@x.example", "acme", NOW + 2 * HOUR, *SIX[4])
        assert world.suppressed()["ann@x.example", "acme"] == ("spam_content", "active")
        world.wait(NOW + 3 * HOUR)
        assert world.suppressed()["ann@x.example", "acme"] == ("policy_rejected", "active")

    def test_after_the_first_one_expired(self, world: World) -> None:
        world.take("ann@x.example", "acme", NOW, *SIX[3])
        world.wait(NOW + HOUR)
        world.wait(NOW + 90 * DAY)
        world.take("ann@x.example", "acme", NOW + 91 * DAY, *SIX[3])
        assert [change for _, change in world.log()] == ["held", "added", "expired", "held"]
        world.wait(NOW + 92 * DAY)
        assert world.suppressed()["ann@x.example", "acme"] == ("spam_content", "active")

    def test_a_person_lifts_it(self, world: World) -> None:
        made = world.take("ann@x.example", "acme", NOW, *SIX[3])
        with world.database.writer() as connection:
            assert lifting.lift(connection, ["ann@x.example"], None, Word("eve", "mended", NOW + MINUTE), 9)
        world.store(made)
        world.wait(NOW + 2 * HOUR)
        assert world.eligible("ann@x.example", "acme")

    def test_a_person_says_it_too(self, world: World) -> None:
        world.take("ann@x.example", "acme", NOW, *SIX[3])
        with world.database.writer() as connection:
            account = accounts.ensure(connection, "acme").id
            assert suppressions.add(connection, account, [suppressions.Said("ann@x.example")], now=NOW) == 1
        world.wait(NOW + 2 * HOUR)
        with world.database.reader() as connection:
            assert [each["source"] for each in suppressions.listing(connection, now=NOW)] == ["person"]

    def test_an_erased_address(self, world: World) -> None:
        world.take("ann@x.example", "acme", NOW, *SIX[3])
        with world.database.writer() as connection:
            order = erasure.Order("ann@x.example", None, "eve", "asked", NOW + MINUTE)
            erasure.erase(connection, order, [])
        assert world.eligible("ann@x.example", "acme")
        world.wait(NOW + HOUR - MINUTE)
        assert world.eligible("ann@x.example", "acme")
        world.wait(NOW + HOUR)
        assert not world.eligible("ann@x.example", "acme")
        assert world.told() == ["suppression.added"]
        assert {change for _, change in world.log()} == {"held", "added"}
        assert not [address for address, _ in world.log() if not address.startswith("hash:")]

    def test_an_erased_address_of_a_wave_that_grows_later(self, world: World) -> None:
        """It waits for the word on the wave like the others, and counts towards it."""
        world.blocked("a", at=NOW)
        with world.database.writer() as connection:
            erasure.erase(connection, erasure.Order("a@gmail.com", None, "eve", "asked", NOW + MINUTE), [])
        world.blocked("b", "c", at=NOW + 2 * MINUTE)
        (wave,) = world.incidents()
        assert (wave["refusals"], wave["held"]) == (3, 3)
        world.wait(NOW + HOUR)
        assert world.eligible("a@gmail.com", "acme")
        with world.database.writer() as connection:
            incidents.confirm(connection, wave["id"], who="eve", why="it was them", now=NOW + HOUR)
        assert not world.eligible("a@gmail.com", "acme")

    def test_three_full_mailboxes_told_in_text_are_everyones_then(self, world: World) -> None:
        now = datetime.now(UTC)
        for account in "abc":
            world.take("ann@x.example", account, now, *SIX[1], form=NoticeForm.TEXT)
        assert ("ann@x.example", None) not in world.suppressed()
        world.wait(now + HOUR)
        assert ("ann@x.example", None) in world.suppressed()

    def test_two_that_wait_and_one_is_of_a_wave(self, world: World) -> None:
        """What the wave brought waits for a word; the other one comes when its time has come."""
        world.take("a@gmail.com", "acme", NOW, *SIX[5])
        world.blocked("a", "b", "c", at=NOW + MINUTE)
        world.wait(NOW + HOUR)
        assert world.suppressed() == {
            ("a@gmail.com", "acme"): ("relay_denied", "active"),
            ("b@gmail.com", "acme"): ("spam_content", "held"),
            ("c@gmail.com", "acme"): ("spam_content", "held"),
        }

    def test_a_release_leaves_what_else_waits(self, world: World) -> None:
        policy = replace(POLICY, suppression_days={})
        world.policy = policy  # all for good: the first one stands
        world.take("a@gmail.com", "acme", NOW, Reason.SPAM_CONTENT, Category.SPAM)
        world.take("a@gmail.com", "acme", NOW + MINUTE, *SIX[5])
        world.blocked("b", "c", at=NOW + 2 * MINUTE)
        (incident,) = world.incidents()
        with world.database.writer() as connection:
            incidents.release(connection, incident["id"], who="eve", why="ours", now=NOW + 3 * MINUTE)
        assert all(world.eligible(f"{name}@gmail.com", "acme") for name in "abc")
        world.wait(NOW + 2 * HOUR)
        assert world.suppressed() == {("a@gmail.com", "acme"): ("relay_denied", "active")}

    def test_a_wave_that_was_confirmed(self, world: World) -> None:
        world.take("a@gmail.com", "acme", NOW, *SIX[5])
        world.blocked("a", "b", "c", at=NOW + MINUTE)
        (incident,) = world.incidents()
        with world.database.writer() as connection:
            incidents.confirm(connection, incident["id"], who="eve", why="theirs", now=NOW + 2 * MINUTE)
        world.wait(NOW + 2 * HOUR)
        assert {state for _, state in world.suppressed().values()} == {"active"}


def test_what_waits_is_looked_for_often_and_without_writing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, now = [0.0], NOW
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    sweeping = Sweep(world.database, world.policy, lambda: now)
    sweeping.look()
    world.take("ann@x.example", "acme", NOW, Reason.SPAM_CONTENT, Category.SPAM)
    written: list[object] = []
    event.listen(world.database._writers, "begin", written.append)
    for seconds[0] in (1.0, 2.0, 4.0, 6.0):
        sweeping.look()
    assert written == []
    now = NOW + HOUR
    seconds[0] = 8.0
    sweeping.look(read_until=NOW + HOUR - MINUTE)
    assert (written, world.suppressed()) == ([], {("ann@x.example", "acme"): ("spam_content", "held")})
    seconds[0] = 10.0
    sweeping.look(read_until=NOW + 2 * HOUR)
    assert len(written) == 1
    assert world.suppressed() == {("ann@x.example", "acme"): ("spam_content", "active")}
    seconds[0] = 39.0
    sweeping.look()
    assert len(written) == 2  # the whole, twice a minute
