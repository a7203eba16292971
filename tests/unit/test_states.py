"""The table of transitions, and that reports come to the same state in every order and however often they come."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import states
from handlers.bounce import STRONG, WEAK, Link, Verdict
from handlers.envelope import Mail
from handlers.events import EventType, of_capture
from handlers.message import Delivery
from handlers.outcome import Bounce, Outcome
from handlers.report import RecipientStatus
from handlers.states import (
    ASSUMED,
    DELIVERED,
    HARD,
    PENDING,
    SENT,
    SOFT,
    TABLE,
    UNPROVEN,
    Change,
    Heard,
    Standing,
    Word,
)
from handlers.words import Action, BounceType, Category, Cause, Detectability, Kind, LinkMethod, Reason
from tests import docs_states
from tests.unit.sent import HARD as GONE
from tests.unit.sent import NOW, OURS, envelope, failed, message, report, sent

ANN = sent(1, "ann@x.example", message())
BOB = sent(2, "bob@x.example", message())
WINDOW = timedelta(hours=72)
FULL = Verdict(Reason.MAILBOX_FULL, BounceType.SOFT, Category.RECIPIENT_PROBLEM, "full")
LATE = Verdict(Reason.CONNECTION_FAILED, BounceType.PENDING, Category.TECHNICAL_PROBLEM, "late")
VERDICTS = {Word.HARD: GONE, Word.SOFT: FULL, Word.UNPROVEN: GONE, Word.DELAYED: LATE}
REPORTS = tuple(word for word in Word if word is not Word.SILENCE)


def link(strength: str = STRONG) -> Link:
    return Link(LinkMethod.TOKEN, "forward_path", "valid", "t", 1, strength)


def outcome(
    word: Word, hours: float = 0, capture: int = 1, delivery: Delivery | None = ANN, reason: Reason | None = None
) -> Outcome:
    """A capture that says this, so many hours after NOW."""
    mail = Mail(capture, replace(envelope(), received_at=NOW + timedelta(hours=hours)), b"")
    base = Outcome(mail, report(), (), (link(),), Detectability.MATCHED, None, delivery, OURS)
    if word is Word.DELIVERED:
        return replace(base, delivered=(delivery,) if delivery else ())
    verdict = replace(VERDICTS[word], reason=reason or VERDICTS[word].reason)
    found = Bounce(
        "ann@x.example", OURS, delivery, "t", failed("ann@x.example"), verdict, proven=word is not Word.UNPROVEN
    )
    return replace(base, bounces=(found,))


def told(*outcomes: Outcome, start: Standing | None = None) -> tuple[Standing, list[Change]]:
    """How the delivery stands behind them, and its revisions."""
    standing, changes = start or Standing(), []
    for each in outcomes:
        for said in states.heard(each):
            now = states.step(standing, said)
            if states.differ(standing, now):
                changes.append(Change(ANN, standing, now, Cause.CAPTURE, said.moment))
            standing = now
    return standing, changes


def test_every_state_answers_every_word() -> None:
    assert [(place, set(row)) for place, row in TABLE.items()] == [(place, set(Word)) for place in TABLE]


def test_nothing_leads_back() -> None:
    order = list(TABLE)
    assert all(order.index(TABLE[place][word]) >= order.index(place) for place, word in product(TABLE, Word))


def test_reports_are_a_join() -> None:
    """A word leads to its own place or leaves a later one: that is why order and repetition change nothing."""
    order = list(TABLE)
    for place, word in product(TABLE, REPORTS):
        assert TABLE[place][word] == max(place, TABLE[SENT][word], key=order.index)


def test_silence_says_something_of_a_delay_only() -> None:
    assert {place: row[Word.SILENCE] for place, row in TABLE.items() if row[Word.SILENCE] != place} == {
        PENDING: ASSUMED
    }


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ([Word.DELAYED], PENDING),
        ([Word.DELAYED, Word.HARD], HARD),
        ([Word.DELAYED, Word.SOFT], SOFT),
        ([Word.DELAYED, Word.DELIVERED], DELIVERED),
        ([Word.SOFT, Word.HARD], HARD),
        ([Word.HARD, Word.SOFT, Word.DELAYED], HARD),
        ([Word.HARD, Word.DELIVERED], HARD),
        ([Word.UNPROVEN], UNPROVEN),
        ([Word.DELIVERED, Word.UNPROVEN], DELIVERED),
        ([Word.DELIVERED, Word.HARD], HARD),
    ],
)
def test_what_becomes_of_a_delivery(words: list[Word], place: states.Place) -> None:
    assert told(*(outcome(word, number) for number, word in enumerate(words)))[0].place == place


def test_the_first_report_of_a_state_is_what_it_rests_on() -> None:
    standing, changes = told(outcome(Word.HARD, 1, 10), outcome(Word.HARD, 2, 11), outcome(Word.HARD, 3, 12))
    assert (standing.capture, standing.since) == (10, NOW + timedelta(hours=1))
    assert (standing.type, standing.category, standing.reason) == (GONE.type, GONE.category, GONE.reason)
    assert len(changes) == 1


def test_a_late_report_that_came_first_takes_its_place() -> None:
    second = outcome(Word.SOFT, 5, 10)
    first = outcome(Word.SOFT, 2, 11, reason=Reason.GREYLISTED)
    standing, changes = told(second, first)
    assert (standing.reason, standing.capture, standing.since) == (
        Reason.GREYLISTED,
        11,
        NOW + timedelta(hours=2),
    )
    assert len(changes) == 2
    assert states.event(changes[1]) is None


def test_after_the_window_a_delay_is_soft_by_assumption() -> None:
    pending, _ = told(outcome(Word.DELAYED, 4), outcome(Word.DELAYED, 70))
    assumed = states.assume(pending, WINDOW)
    assert (assumed.place, assumed.since) == (ASSUMED, NOW + timedelta(hours=4) + WINDOW)
    assert assumed.reason is Reason.CONNECTION_FAILED
    assert states.assume(assumed, WINDOW) == assumed


@pytest.mark.parametrize("word", [Word.SOFT, Word.HARD, Word.DELIVERED, Word.UNPROVEN])
def test_a_report_replaces_the_assumption(word: Word) -> None:
    assumed = states.assume(told(outcome(Word.DELAYED))[0], WINDOW)
    standing, changes = told(outcome(word, 100, 7), start=assumed)
    assert (standing.place, standing.capture, standing.pending_since) == (TABLE[SENT][word], 7, NOW)
    assert len(changes) == 1


def test_one_more_delay_leaves_the_assumption() -> None:
    assumed = states.assume(told(outcome(Word.DELAYED))[0], WINDOW)
    assert told(outcome(Word.DELAYED, 100), start=assumed) == (assumed, [])


def test_what_was_not_delayed_is_never_assumed() -> None:
    for word in (Word.HARD, Word.SOFT, Word.DELIVERED, Word.UNPROVEN):
        standing, _ = told(outcome(word))
        assert states.assume(standing, WINDOW) == standing
    assert states.assume(Standing(), WINDOW) == Standing()


CAPTURES = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(REPORTS), st.sampled_from([Reason.EXPIRED, Reason.GREYLISTED])),
    min_size=1,
    max_size=8,
)


@given(CAPTURES, st.data())
def test_order_and_repetition_change_nothing(said: list[tuple[int, Word, Reason]], data: st.DataObject) -> None:
    """The state, what it rests on, the first delay, and what the last revision says."""
    mails = [outcome(word, hours, number, reason=reason) for number, (hours, word, reason) in enumerate(sorted(said))]
    ordered, changes = told(*mails)
    repeated = mails + data.draw(st.lists(st.sampled_from(mails), max_size=8))
    shuffled = data.draw(st.permutations(repeated))
    stops = data.draw(st.integers(0, len(shuffled)))
    now = NOW + timedelta(hours=data.draw(st.integers(0, 400)))
    assert told(*shuffled)[0] == ordered
    assert content(told(*shuffled)[1]) == content(changes)
    assert with_clock(shuffled, stops, now) == ticked(ordered, now)


def content(changes: Sequence[Change]) -> tuple[object, ...]:
    """Of two reports of one moment that say the same, the revision may name either."""
    now = changes[-1].now if changes else Standing()
    return (now.place, now.since, now.type, now.category, now.reason)


def ticked(standing: Standing, now: datetime) -> Standing:
    due = standing.place == PENDING and standing.pending_since and standing.pending_since + WINDOW <= now
    return states.assume(standing, WINDOW) if due else standing


def with_clock(outcomes: Sequence[Outcome], stop: int, now: datetime) -> Standing:
    """The clock looks once in between, and once at the end."""
    early = ticked(told(*outcomes[:stop])[0], now)
    return ticked(told(*outcomes[stop:], start=early)[0], now)


def test_a_link_that_proves_nothing_says_nothing() -> None:
    assert list(states.heard(replace(outcome(Word.HARD), links=(link(WEAK),)))) == []
    assert list(states.unregistered(replace(outcome(Word.HARD, delivery=None), links=()))) == []


def test_each_recipient_has_a_state_of_its_own() -> None:
    gone = outcome(Word.HARD)
    both = replace(
        gone, bounces=(*gone.bounces, replace(gone.bounces[0], delivery=BOB, verdict=FULL)), delivered=(ANN,)
    )
    assert [(said.delivery.id, said.word) for said in states.heard(both)] == [
        (1, Word.HARD),
        (2, Word.SOFT),
        (1, Word.DELIVERED),
    ]


@pytest.mark.parametrize(
    ("until", "word"),
    [
        ("Sun, 22 Nov 2026 12:00:00 +0000", Word.DELAYED),
        ("Sun, 22 Nov 2026 12:00:00", Word.DELAYED),
        ("Fri, 20 Nov 2026 12:00:00 +0000", Word.SOFT),
        ("tomorrow", Word.SOFT),
        (None, Word.SOFT),
    ],
)
def test_what_will_be_retried_is_a_delay(until: str | None, word: Word) -> None:
    recipient = RecipientStatus("ann@x.example", action=Action.FAILED, status="4.2.2", will_retry_until=until)
    bounce = Bounce("ann@x.example", OURS, ANN, "t", recipient, FULL, proven=True)
    assert states.word(outcome(Word.SOFT), bounce) is word
    assert states.word(outcome(Word.SOFT), replace(bounce, verdict=GONE)) is Word.HARD


@pytest.mark.parametrize(
    ("words", "types"),
    [
        ([Word.DELAYED, Word.HARD], [EventType.BOUNCE_PENDING, EventType.BOUNCE_HARD]),
        ([Word.HARD, Word.HARD, Word.SOFT], [EventType.BOUNCE_HARD]),
        ([Word.DELAYED, Word.DELAYED, Word.DELIVERED], [EventType.BOUNCE_PENDING, EventType.BOUNCE_CLEARED]),
        ([Word.DELIVERED], []),
        ([Word.UNPROVEN, Word.SOFT], [EventType.BOUNCE_SOFT, EventType.BOUNCE_SOFT]),
        ([Word.UNPROVEN, Word.DELIVERED], [EventType.BOUNCE_SOFT, EventType.BOUNCE_CLEARED]),
    ],
)
def test_what_is_told(words: list[Word], types: list[EventType]) -> None:
    _, changes = told(*(outcome(word, number, number) for number, word in enumerate(words)))
    events = [event for change in changes if (event := states.event(change))]
    assert [event.type for event in events] == types
    assert len({event.key for event in events}) == len(events)


def test_an_event_says_what_a_sender_needs() -> None:
    pending, changes = told(outcome(Word.DELAYED, 1, 9))
    assumed = states.assume(pending, WINDOW)
    event = states.event(Change(ANN, pending, assumed, Cause.CLOCK, assumed.since))
    assert event is not None
    assert (event.type, event.account, event.delivery, event.occurred_at) == ("bounce.soft", 1, 1, assumed.since)
    expected = {"recipient": "ann@x.example", "message_id": "<m1@sender.example>", "state": "soft", "capture": 9}
    assert expected.items() <= event.data.items()
    assert (event.data["previous"], event.data["resolution"], event.data["cause"]) == ("pending", "assumed", "clock")
    first = states.event(changes[0])
    assert first is not None
    assert (first.data["status"], first.data["category"]) == (None, "technical_problem")


def test_a_token_that_was_never_registered_is_told_by_itself() -> None:
    events = list(states.unregistered(outcome(Word.HARD, capture=5, delivery=None)))
    again = list(states.unregistered(outcome(Word.HARD, 3, capture=6, delivery=None)))
    assert [(each.type, each.account, each.delivery) for each in events] == [(EventType.BOUNCE_HARD, 1, None)]
    assert [each.key for each in events] == [each.key for each in again]
    assert (events[0].data["token"], events[0].data["message_id"]) == ("t", None)
    assert list(states.heard(outcome(Word.HARD, delivery=None))) == []


def test_a_capture_may_be_told_by_itself() -> None:
    base = replace(outcome(Word.HARD), bounces=())
    reply = replace(base, report=report(kind=Kind.AUTO_REPLY))
    assert of_capture(base) is None
    assert of_capture(reply).type is EventType.AUTO_REPLY  # type: ignore[union-attr]
    assert of_capture(replace(reply, account=None)) is None
    assert of_capture(replace(base, report=report(kind=Kind.COMPLAINT))).delivery == 1  # type: ignore[union-attr]
    detached = replace(base, detectability=Detectability.UNDETECTABLE, account=None, delivery=None)
    assert of_capture(detached).type is EventType.CAPTURE_UNDETECTABLE  # type: ignore[union-attr]


def test_heard_is_what_a_capture_says() -> None:
    assert list(states.heard(outcome(Word.DELIVERED, 2, 8))) == [
        Heard(ANN, Word.DELIVERED, NOW + timedelta(hours=2), 8)
    ]


def test_the_page_is_made_from_the_table() -> None:
    assert docs_states.PAGE.read_text() == docs_states.page()
