"""What follows from bounces that are stored: suppressions, incidents, and addresses that are dead for everyone."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, update

from handlers.words import Category, NoticeForm, Reason
from storage import accounts, incidents, lifting, suppressions, tables
from storage.checking import check
from storage.lifting import Word
from storage.store import store
from storage.sweep import sweep
from tests.integration.world_fixture import DAY, HOUR, MINUTE, NOW, POLICY, SIX, World


@pytest.mark.parametrize(("reason", "category"), SIX)
def test_each_hard_category_suppresses_for_that_account(world: World, reason: Reason, category: Category) -> None:
    world.take("ann@x.example", "acme", NOW, reason, category)
    world.wait(NOW + HOUR)
    assert not world.eligible("ann@x.example", "acme")
    assert world.eligible("ann@x.example", "other")
    assert world.log()[-1:] == [("ann@x.example", "added")]
    assert world.told() == ["suppression.added"]


def test_a_replay_has_no_second_effect(world: World) -> None:
    made = world.take("ann@x.example")
    world.store(made)
    world.take("ann@x.example", at=NOW + DAY)
    assert world.log() == [("ann@x.example", "added")]


def test_an_old_report_after_a_lift_and_a_new_one(world: World) -> None:
    world.take("ann@x.example")
    old = world.bounce("ann@x.example", at=NOW + DAY)
    with world.database.writer() as connection:
        assert lifting.lift(connection, ["ann@x.example"], None, Word("eve", "she is back", NOW + 2 * DAY), 9)
    world.store(old)
    assert world.eligible("ann@x.example", "acme")
    world.take("ann@x.example", at=NOW + 3 * DAY)
    assert not world.eligible("ann@x.example", "acme")
    assert [change for _, change in world.log()] == ["added", "lifted", "added"]


class TestEveryone:
    def test_three_accounts(self, world: World) -> None:
        for number, account in enumerate(("a", "b", "c")):
            assert world.eligible("ann@x.example", "d")
            world.take("ann@x.example", account, NOW + number * DAY)
        with world.database.writer() as connection:
            found = check(connection, accounts.ensure(connection, "d").id, ["ann@x.example"], NOW)["ann@x.example"]
        assert (found.eligible, found.type, found.reason, found.category) == (False, "global", None, None)
        assert world.told().count("bounce.global") == 4  # the operator's, and one for each that mailed it
        assert world.suppressed()["ann@x.example", None] == ("user_unknown", "active")

    @pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
    def test_whatever_the_order(self, world: World, order: tuple[int, ...]) -> None:
        how = [("a", 0), ("b", 40), ("c", 70), ("d", 90)]
        made = [world.bounce("ann@x.example", account, NOW + day * DAY) for account, day in how]
        for number in order:
            world.store(made[number])
        with world.database.reader() as connection:
            assert [each["since"] for each in suppressions.listing(connection) if each["account"] is None] == [
                (NOW + 90 * DAY).isoformat()
            ]

    @pytest.mark.parametrize("fault", ["soft cause", "unproven", "one owner", "young", "lifted"])
    def test_not_without_all_it_needs(self, world: World, fault: str) -> None:
        cause = (Reason.SPAM_CONTENT, Category.SPAM) if fault == "soft cause" else SIX[0]
        for account in ("a", "b"):
            world.take("ann@x.example", account, NOW, *cause)
        last = world.bounce("ann@x.example", "c", NOW, *cause, proven=fault != "unproven")
        with world.database.writer() as connection:
            if fault == "one owner":
                connection.execute(update(tables.account).values(owner="eve"))
            if fault == "young":
                connection.execute(update(tables.account).values(created_at=datetime.now(UTC)))
            if fault == "lifted":
                lifting.lift(connection, ["ann@x.example"], None, Word("eve", "alive", NOW), 9)
        world.store(last)
        assert ("ann@x.example", None) not in world.suppressed()

    def test_accounts_come_of_age(self, world: World) -> None:
        made = [world.bounce("ann@x.example", account) for account in "abc"]
        with world.database.writer() as connection:
            connection.execute(update(tables.account).values(created_at=datetime.now(UTC)))
        world.store(*made)
        later = datetime.now(UTC) + 8 * DAY
        for now, number in ((datetime.now(UTC), 0), (later, 1), (later, 1)):
            with world.database.writer() as connection:
                sweep(connection, POLICY, now)
            assert list(world.suppressed()).count(("ann@x.example", None)) == number

    def test_only_new_bounces_bring_it_back(self, world: World) -> None:
        for account in "abc":
            world.take("ann@x.example", account)
        with world.database.writer() as connection:
            assert lifting.lift_everyones(connection, ["ann@x.example"], Word("eve", "alive", NOW + DAY), 9)
        world.take("ann@x.example", "d", NOW + 2 * DAY)
        assert ("ann@x.example", None) not in world.suppressed()
        for account in "ef":
            world.take("ann@x.example", account, NOW + 3 * DAY)
        assert ("ann@x.example", None) in world.suppressed()


class TestIncidents:
    def test_a_wave_holds_what_it_causes_and_caused(self, world: World) -> None:
        world.blocked("a", "b", at=NOW)
        world.blocked("c", "d", at=NOW + MINUTE)
        assert [state for _, state in world.suppressed().values()] == ["held"] * 4
        (incident,) = world.incidents()
        assert (incident["provider"], incident["reason"], incident["state"]) == ("google", "spam_content", "open")
        assert (incident["refusals"], incident["held"]) == (4, 4)
        assert world.told() == ["incident.opened"]
        world.wait(NOW + 2 * HOUR)
        assert all(world.eligible(f"{name}@gmail.com", "acme") for name in "abcd")

    def test_in_one_batch(self, world: World) -> None:
        how = ("acme", NOW, Reason.SPAM_CONTENT, Category.SPAM)
        world.store(*(world.bounce(f"{name}@gmail.com", *how) for name in "abc"))
        assert [state for _, state in world.suppressed().values()] == ["held"] * 3
        assert world.told() == ["incident.opened"]

    def test_what_another_bounce_suppresses_too_stays(self, world: World) -> None:
        world.take("a@gmail.com", "acme", NOW, Reason.SPAM_CONTENT, Category.SPAM)
        world.take("a@gmail.com", "acme", NOW + MINUTE, Reason.MAILBOX_FULL, Category.MAILBOX_FULL)
        world.take("b@gmail.com", "acme", NOW - DAY)
        world.blocked("b", "c", "d", "a")
        assert world.suppressed()["a@gmail.com", "acme"][1] == "active"
        assert world.suppressed()["b@gmail.com", "acme"] == ("user_unknown", "active")
        assert world.suppressed()["c@gmail.com", "acme"][1] == "held"
        world.take("c@gmail.com", "acme", NOW + MINUTE)
        assert world.suppressed()["c@gmail.com", "acme"] == ("user_unknown", "active")

    @pytest.mark.parametrize("fault", ["one address", "too slow", "two providers", "two accounts", "unproven", "dead"])
    def test_what_is_no_wave(self, world: World, fault: str) -> None:
        for number in range(4):
            name = "a" if fault == "one address" else "abcd"[number]
            domain = "gmail.com" if fault != "two providers" or number % 2 else "outlook.com"
            account = "acme" if fault != "two accounts" or number % 2 else "other"
            at = NOW + (40 * number * MINUTE if fault == "too slow" else timedelta())
            cause = SIX[0] if fault == "dead" else SIX[3]
            world.take(f"{name}@{domain}", account, at, *cause, proven=fault != "unproven")
        assert world.incidents() == []

    def test_release(self, world: World) -> None:
        world.blocked("a", "b", "c")
        (incident,) = world.incidents()
        late = world.bounce("a@gmail.com", "acme", NOW, Reason.SPAM_CONTENT, Category.SPAM)
        with world.database.writer() as connection:
            assert incidents.release(connection, incident["id"], who="eve", why="ours", now=NOW + DAY) == 3
        world.store(late)
        assert world.suppressed() == {}
        (incident,) = world.incidents()
        assert (incident["decision"], incident["who"], incident["why"], incident["held"]) == (
            "released",
            "eve",
            "ours",
            0,
        )
        assert [change for _, change in world.log()][-3:] == ["released"] * 3
        world.blocked("e", at=NOW + DAY)
        assert world.suppressed()["e@gmail.com", "acme"][1] == "held"

    def test_confirm(self, world: World) -> None:
        world.blocked("a", "b", "c")
        (incident,) = world.incidents()
        with world.database.writer() as connection:
            assert incidents.confirm(connection, incident["id"], who="eve", why="theirs", now=NOW + DAY) == 3
        world.blocked("e", at=NOW + DAY)
        assert [state for _, state in world.suppressed().values()] == ["active"] * 4
        with world.database.writer() as connection:
            word = Word("eve", "after all", NOW + 2 * DAY)
            assert len(lifting.lift_incident(connection, incident["id"], None, word, 9)) == 4

    def test_it_closes_when_it_is_quiet_and_opens_again(self, world: World) -> None:
        world.blocked("a", "b", "c")
        for hours, states in ((5, ["open"]), (6, ["closed"]), (9, ["closed"])):
            with world.database.writer() as connection:
                sweep(connection, POLICY, NOW + timedelta(hours=hours))
            assert [each["state"] for each in world.incidents()] == states
        assert world.told().count("incident.closed") == 1
        assert [state for _, state in world.suppressed().values()] == ["held"] * 3
        world.blocked("d", "e", at=NOW + DAY)
        assert len(world.incidents()) == 1
        world.blocked("f", at=NOW + DAY)
        assert [each["state"] for each in world.incidents()] == ["closed", "open"]

    def test_an_account_decides_about_its_own_only(self, world: World) -> None:
        world.blocked("a", "b", "c")
        (incident,) = world.incidents()
        with pytest.raises(incidents.NoIncident), world.database.writer() as connection:
            incidents.confirm(connection, incident["id"], who="eve", why="-", now=NOW, account_id=77)
        assert [state for _, state in world.suppressed().values()] == ["held"] * 3
        with world.database.reader() as connection:
            assert incidents.get(connection, incident["id"], 77) is None
            assert incidents.get(connection, incident["id"]) == incident
            assert list(incidents.listing(connection, 77)) == []

    def test_there_is_none(self, world: World) -> None:
        with pytest.raises(incidents.NoIncident, match="no incident 7"), world.database.writer() as connection:
            incidents.release(connection, 7, who="eve", why="-", now=NOW)


TEXT = NoticeForm.TEXT


def test_any_order_comes_to_the_same(world: World) -> None:
    """Bounces of several accounts and causes, in four orders with repeats."""
    dice = random.Random(7)
    made = [
        world.bounce(
            f"r{number % 3}@x.example",
            "abcd"[number % 4],
            NOW + dice.randrange(90) * DAY,
            *dice.choice(SIX),
            form=dice.choice(list(NoticeForm)),
        )
        for number in range(24)
    ]
    ends = set()
    for swept in (False, True, False, True):
        with world.database.writer() as connection:
            rests = (tables.suppression, tables.refusal, tables.incident, tables.state_change, tables.delivery_state)
            for table in (*rests, tables.bounce, tables.capture):
                connection.execute(table.delete())
        mixed = [*made, *dice.sample(made, 8)]
        dice.shuffle(mixed)
        for start in range(0, len(mixed), 5):
            world.store(*mixed[start : start + 5])
            if swept:
                world.wait(NOW + start * DAY)
        world.wait(NOW + 91 * DAY)
        with world.database.reader() as connection:
            columns = [c for c in tables.suppression.c if c.name not in ("id",)]
            ends.add(tuple(sorted(map(repr, connection.execute(select(*columns))))))
    assert len(ends) == 1


def test_a_batch_costs_a_constant_number_of_statements(world: World) -> None:
    """Whatever it holds."""
    counts = []
    for number in (3, 60):
        batch = [world.bounce(f"r{next(world.numbers)}@x.example") for _ in range(number)]
        batch += [
            world.bounce(f"s{next(world.numbers)}@y{i}.example", "acme", NOW, Reason.SPAM_CONTENT, Category.SPAM)
            for i in range(number)
        ]
        seen: list[str] = []
        with world.database.writer() as connection:
            event.listen(connection, "before_cursor_execute", lambda *given, seen=seen: seen.append(given[2]))
            store(connection, batch, "worker", world.position, world.policy)
        counts.append(len(seen))
    assert counts[0] == counts[1]
