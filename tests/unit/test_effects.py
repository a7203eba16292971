"""How suppressions stand: whatever the order, and however often a report comes."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import causes, profiles
from handlers.effects import Policy, Report, Source, Standing, State, everywhere, said, strongest
from handlers.words import Category, NoticeForm, Profile, Reason

NOW = datetime(2026, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy()


def bounce(day: int, reason: Reason = Reason.USER_UNKNOWN, capture: int = 1, **fields: object) -> Standing:
    at = NOW + day * DAY
    made = Standing(Category.OTHER, reason, at, POLICY.expires(reason, at), capture)
    return replace(made, **fields)  # type: ignore[arg-type]


def after(*reports: Standing, standing: Standing | None = None) -> Standing | None:
    for each in reports:
        standing = strongest(standing, each) or standing
    return standing


BOUNCES = st.builds(
    bounce,
    st.integers(0, 400),
    st.sampled_from([Reason.USER_UNKNOWN, Reason.MAILBOX_FULL, Reason.SPAM_CONTENT, Reason.VIRUS_FOUND]),
    st.integers(1, 9),
    state=st.sampled_from([State.ACTIVE, State.HELD]),
).flatmap(
    lambda made: st.sampled_from(
        [made, replace(made, held_until=made.since + POLICY.incident_window)] if made.state is State.HELD else [made]
    )
)


@given(st.lists(BOUNCES, max_size=8), st.randoms(use_true_random=False), st.none() | st.integers(0, 400))
def test_order_and_repetition_do_not_matter(reports: list[Standing], dice: random.Random, lifted: int | None) -> None:
    start = None if lifted is None else bounce(0, state=State.LIFTED, lifted_at=NOW + lifted * DAY)
    mixed = [*reports, *dice.choices(reports, k=3)] if reports else []
    dice.shuffle(mixed)
    assert after(*mixed, standing=start) == after(*reports, standing=start)


def test_the_longest_stands_and_of_equals_the_first() -> None:
    full, dead, again = bounce(3, Reason.MAILBOX_FULL), bounce(2), bounce(1, capture=2)
    assert after(full, dead, again) == again
    assert after(bounce(1, Reason.MAILBOX_FULL), full) == full


def test_one_that_holds_beats_one_that_is_held() -> None:
    held = bounce(1, state=State.HELD, incident=4)
    assert all(after(*order) == bounce(2) for order in permutations([held, bounce(2)]))


def test_what_waits_is_known_of_what_holds() -> None:
    waits = bounce(1, Reason.MAILBOX_FULL, state=State.HELD, held_until=NOW + 2 * DAY)
    assert after(waits, bounce(3)) == replace(bounce(3), held_until=NOW + 2 * DAY)
    over = bounce(0, Reason.SPAM_CONTENT, state=State.EXPIRED)
    assert after(waits, standing=over) == waits


@pytest.mark.parametrize(
    ("category", "form", "at_once"),
    [
        (Category.UNKNOWN_USER, NoticeForm.DSN, True),
        (Category.UNKNOWN_USER, NoticeForm.SEPARATE, True),
        (Category.MAILBOX_FULL, NoticeForm.DSN, True),
        (Category.MAILBOX_FULL, NoticeForm.TEXT, False),
        (Category.MAILBOX_FULL, None, False),
        *[(each, NoticeForm.DSN, False) for each in (Category.SPAM, Category.CONTENT, Category.POLICY, Category.OTHER)],
    ],
)
def test_what_is_said_of_the_address_counts_at_once(category: Category, form: NoticeForm | None, at_once: bool) -> None:
    found = POLICY.suppression(category, Reason.UNKNOWN, NOW, form, 1)
    assert found.state is (State.ACTIVE if at_once else State.HELD)
    assert found.held_until == (None if at_once else NOW + POLICY.incident_window)
    assert found.expires_at == POLICY.expires(Reason.UNKNOWN, NOW)


def test_after_a_lift_only_what_is_received_later_counts() -> None:
    lifted = bounce(1, state=State.LIFTED, lifted_at=NOW + 5 * DAY)
    assert after(bounce(1), bounce(5), standing=lifted) == lifted
    new = after(bounce(6), standing=lifted)
    assert new == bounce(6, lifted_at=lifted.lifted_at)
    assert after(bounce(4), standing=new) == new


def test_what_expired_comes_back_with_the_next_bounce() -> None:
    over = bounce(0, Reason.SPAM_CONTENT, state=State.EXPIRED)
    assert after(bounce(100, Reason.SPAM_CONTENT), standing=over) == bounce(100, Reason.SPAM_CONTENT)
    assert after(bounce(0, Reason.SPAM_CONTENT), standing=over) == over


@pytest.mark.parametrize("source", [Source.PERSON, Source.IMPORT])
def test_what_a_person_said_no_bounce_touches(source: Source) -> None:
    word = bounce(1, capture=0, source=source, expires_at=NOW + 2 * DAY)
    assert strongest(word, bounce(2)) is None
    assert strongest(replace(word, state=State.EXPIRED), bounce(2)) == bounce(2)


def test_a_person_confirms_what_a_bounce_did() -> None:
    word = bounce(5, Reason.SUPPRESSED, source=Source.PERSON)
    full = bounce(1, Reason.MAILBOX_FULL)
    assert said(full, word) == replace(full, source=Source.PERSON, expires_at=None)
    assert said(said(full, word), word) is None
    held = replace(full, state=State.HELD)
    assert said(held, word) == word


def test_a_word_after_a_lift_keeps_the_lift() -> None:
    lifted = bounce(1, state=State.LIFTED, lifted_at=NOW)
    assert said(lifted, bounce(3, source=Source.PERSON)) == bounce(3, source=Source.PERSON, lifted_at=NOW)


def test_lifetimes() -> None:
    assert POLICY.expires(Reason.USER_UNKNOWN, NOW) is None
    assert POLICY.expires(Reason.MAILBOX_FULL, NOW) == NOW + 180 * DAY
    assert Policy(suppression_days={Reason.USER_UNKNOWN: 2}).expires(Reason.USER_UNKNOWN, NOW) == NOW + 2 * DAY


def test_every_reason_that_kills_an_address_is_for_good_and_no_other() -> None:
    """As `conservative` has it: hard only where the address itself is dead."""
    table = profiles.table(Profile.CONSERVATIVE)
    dead = {reason for reason, row in table.items() if row.permanent.type == "hard"}
    hard = {reason for reason, row in profiles.table(Profile.HUBSPOT).items() if row.permanent.type == "hard"}
    assert {reason for reason in hard if causes.default_days()[reason] is None} == dead
    assert not causes.of_the_sender() & dead


@pytest.mark.parametrize(
    ("remote_mta", "address", "provider"),
    [
        ("gmail-smtp-in.l.google.com", "ann@shop.example", "google"),
        ("X.mail.protection.outlook.com.", "ann@shop.example", "microsoft"),
        (None, "ann@gmail.com", "google"),
        ("192.0.2.7", "ann@Shop.Example.", "shop.example"),
        ("[IPv6:2001:db8::1]", "ann@shop.example", "shop.example"),
        ("mx1.eu.host.example", "ann@shop.example", "host.example"),
        ("mx1.host.co.uk", "ann@shop.example", "host.co.uk"),
        ("localhost", "ann@shop.example", "shop.example"),
        (None, "", ""),
    ],
)
def test_providers(remote_mta: str | None, address: str, provider: str) -> None:
    assert causes.provider(remote_mta, address) == provider


class TestEverywhere:
    OLD = NOW - 100 * DAY

    def judged(self, *days: tuple[int, str], lifted: int | None = None, **policy: object) -> list[int | None]:
        """For every order of the reports the day that is answered."""
        reports = [Report(NOW + day * DAY, owner, self.OLD) for day, owner in days]
        given = replace(POLICY, **policy)  # type: ignore[arg-type]
        lifted_at = None if lifted is None else NOW + lifted * DAY
        found = {everywhere(order, given, NOW + 300 * DAY, lifted_at) for order in permutations(reports)}
        return [at and (at - NOW).days for at in found]

    def test_three_owners(self) -> None:
        assert self.judged((0, "a"), (9, "b"), (3, "c")) == [9]
        assert self.judged((0, "a"), (9, "b"), (3, "a"), (4, "b")) == [None]

    def test_within_the_window(self) -> None:
        assert self.judged((0, "a"), (40, "b"), (60, "c")) == [60]
        assert self.judged((0, "a"), (40, "b"), (61, "c")) == [None]
        assert self.judged((0, "a"), (40, "b"), (61, "c"), (90, "a")) == [90]

    def test_so_many_as_are_wanted(self) -> None:
        assert self.judged((0, "a"), (1, "b"), global_accounts=2) == [1]

    def test_not_what_was_received_before_it_was_lifted(self) -> None:
        assert self.judged((0, "a"), (1, "b"), (2, "c"), lifted=2) == [None]
        assert self.judged((3, "a"), (4, "b"), (5, "c"), lifted=2) == [5]

    def test_young_accounts_count_when_they_are_old_enough(self) -> None:
        reports = [Report(NOW, owner, NOW - DAY) for owner in "abc"]
        assert everywhere(reports, POLICY, NOW + 5 * DAY, None) is None
        assert everywhere(reports, POLICY, NOW + 6 * DAY, None) == NOW
