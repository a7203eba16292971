"""The tone: a model of words where no phrase decides. Nobody fails by it alone, and what it decides is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.parse import parse, tone
from handlers.parse.phrases import Folded
from handlers.parse.tone import FEWEST, features
from handlers.report import KIND_GUESSED
from handlers.words import Kind
from tests.model.train_tone import train

TEXTS = [
    ("absence", "Away", "I am walking in the hills until the snow comes down"),
    ("absence", "Gone fishing", "The boat and I are on the lake until the ice comes down"),
    ("failure", "Letter", "The clerk found nobody who would open the door for that letter"),
    ("failure", "Parcel", "The clerk carried that letter back since the door stayed shut"),
]


def of(subject: str, text: str) -> tone.Tone:
    return tone.by_kind(train(TEXTS, temperature=1.0).shares(features(Folded(subject), Folded(text))))


def test_a_model_learns() -> None:
    found = of("Hello", "until the snow and the ice, the lake and the hills are mine")
    assert max(found, key=found.__getitem__) is Kind.AUTO_REPLY
    found = of("Hello", "the clerk carried nobody a letter, the door stayed shut")
    assert max(found, key=found.__getitem__) is Kind.FAILURE


@given(
    st.text(max_size=200),
    st.permutations(["undeliverable", "message", "returned", "mailbox", "full", "thanks", "holiday"]),
)
def test_the_shares_of_all_kinds_add_up(subject: str, words: list[str]) -> None:
    assert sum(tone.of(Folded(subject), Folded(" ".join(words))).values()) == pytest.approx(1)


def test_few_words_say_nothing() -> None:
    assert len(features(Folded(""), Folded("undeliverable message returned mailbox full"))) == 5 == FEWEST
    assert tone.of(Folded(""), Folded("undeliverable message returned mailbox full"))
    assert tone.of(Folded(""), Folded("undeliverable message returned mailbox")) == {}


def test_features_are_stems_of_both_and_marked_those_of_the_subject() -> None:
    assert list(features(Folded("Returned"), Folded("It was returning 12 letters"))) == [
        "return", "was", "letter", "return:",
    ]  # fmt: skip


def test_words_that_stand_joined_are_cut_in_pairs() -> None:
    assert list(features(Folded(""), Folded("休暇中 mail"))) == ["休暇", "暇中", "mail"]


HEAD = "To: b@rp.sender.example\r\nDate: Tue, 3 Nov 2026 10:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n"


def kind_of(sender: str, subject: str, text: str, path: str = "someone@cust.example", field: str = "") -> Kind:
    raw = f"From: {sender}\r\nSubject: {subject}\r\n{HEAD}{field}\r\n{text}\r\n".encode()
    report = parse(raw, path)
    assert (KIND_GUESSED in report.faults) or report.kind is Kind.OTHER, "a phrase decides: nothing to see here"
    return report.kind


REFUSED = (
    "Hei! Vi skulle gjerne gitt meldingen din til jo@cust.example, men kunden har sagt opp avtalen og kontoen er "
    "stengt. Serveren vår kunne derfor ikke ta imot den, og mottakeren har ikke sett noe av den."
)


@pytest.mark.parametrize(
    ("sender", "path", "kind"),
    [
        ("Easyweb customer care <care@host.example>", "care@host.example", Kind.FAILURE),
        ("Easyweb <web@host.example>", "", Kind.FAILURE),
        ("Jo Roe <roe@cust.example>", "roe@cust.example", Kind.OTHER),
        ("Ida Talbot <ida.talbot@cust.example>", "ida.talbot@cust.example", Kind.OTHER),
    ],
)
def test_a_failure_by_its_tone_comes_from_an_office_or_from_nobody(sender: str, path: str, kind: Kind) -> None:
    assert kind_of(sender, "Om meldingen din", REFUSED, path) is kind


def test_a_failure_by_its_tone_names_somebody() -> None:
    nobody = REFUSED.replace("jo@cust.example", "kunden")
    assert kind_of("Easyweb customer care <care@host.example>", "Om meldingen din", nobody) is not Kind.FAILURE


def test_an_answer_fails_nobody_by_its_tone() -> None:
    answer = "In-Reply-To: <m@sender.example>\r\n"
    assert kind_of("Care <care@host.example>", "Sv: Oktober", REFUSED, field=answer) is not Kind.FAILURE


def test_who_wants_no_more_mail_has_not_answered_automatically() -> None:
    assert kind_of("Jo <jo@cust.example>", "Unsubscribe", "please remove me from your list, thanks") is Kind.OTHER
