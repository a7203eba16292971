"""Every category says what to do about it, in every language."""

import re
from itertools import product

import pytest

from handlers.advice import LANGUAGES, advice, table
from handlers.profiles import table as profile
from handlers.words import BounceType, Category, Profile


def test_there_is_a_text_for_everything_and_for_nothing_else() -> None:
    assert set(table()) == {*map(str, Category), "pending", "global"}
    assert all(set(texts) == set(LANGUAGES) for texts in table().values())


def test_it_is_one_or_more_sentences() -> None:
    for asked in product(Category, BounceType, LANGUAGES):
        found = advice(*asked)
        for text in (found.means, found.do):
            assert re.fullmatch(r"[A-ZÅÆØĆŁŚŹŻ][^\n]{15,300}\.", text), asked


def test_no_text_is_said_twice() -> None:
    texts = [text for each in table().values() for told in each.values() for text in (told.means, told.do)]
    assert len(texts) == len(set(texts))


def test_what_is_pending_is_waited_for() -> None:
    """Whatever its category; and what is global is for the operator."""
    assert {advice(each, BounceType.PENDING).do for each in Category} == {table()["pending"]["en"].do}
    assert {advice(each, BounceType.GLOBAL).do for each in Category} == {table()["global"]["en"].do}


@pytest.mark.parametrize(
    ("category", "word"),
    [
        (Category.SPAM, "allow-list"),
        (Category.CONTENT, "unbounce"),
        (Category.OTHER, "allow-list"),
        (Category.POLICY, "DMARC"),
        (Category.NOT_AUTHORIZED, "Align SPF, DKIM and DMARC"),
        (Category.TECHNICAL_PROBLEM, "Resend a copy later"),
        (Category.RECIPIENT_PROBLEM, "Resend a copy later"),
        (Category.UNKNOWN_USER, "Do not mail it again"),
    ],
)
def test_what_to_do(category: Category, word: str) -> None:
    assert word in advice(category, BounceType.HARD).do


def test_what_is_hard_is_unbounced_and_what_is_soft_is_resent() -> None:
    rows = [effect for row in profile(Profile.HUBSPOT).values() for effect in (row.permanent, row.temporary)]
    for effect in rows:
        text = advice(effect.category, effect.type).do
        if effect.type is BounceType.HARD and effect.category is not Category.UNKNOWN_USER:
            assert "unbounce" in text
        if effect.type is BounceType.SOFT:
            assert "resend a copy" in text.lower()


@pytest.mark.parametrize(
    ("tag", "language"), [("nb", "no"), ("nn-NO", "no"), ("pl_PL", "pl"), ("EN-gb", "en"), ("fr", "en"), ("", "en")]
)
def test_language_tags(tag: str, language: str) -> None:
    assert advice(Category.SPAM, BounceType.HARD, tag) == table()["spam"][language]
