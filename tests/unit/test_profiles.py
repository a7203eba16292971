"""Every profile has a row for every reason, and the rows keep what the profile promises."""

import pytest

from handlers.profiles import BadProfiles, read, table
from handlers.words import BounceType, Category, Profile, Reason
from tests import docs_rules

DEAD = {
    Reason.USER_UNKNOWN, Reason.BAD_ADDRESS, Reason.MAILBOX_MOVED, Reason.DOMAIN_UNKNOWN, Reason.DOMAIN_NO_MAIL,
}  # fmt: skip
HARD_CATEGORIES = {
    Category.UNKNOWN_USER, Category.MAILBOX_FULL, Category.CONTENT, Category.SPAM, Category.POLICY, Category.OTHER,
}  # fmt: skip


@pytest.mark.parametrize("profile", Profile)
def test_every_reason_has_a_row(profile: Profile) -> None:
    assert set(table(profile)) == set(Reason)


@pytest.mark.parametrize("profile", Profile)
def test_what_is_temporary_is_never_hard(profile: Profile) -> None:
    assert {row.temporary.type for row in table(profile).values()} == {BounceType.SOFT}


@pytest.mark.parametrize("profile", Profile)
def test_hard_and_soft_have_categories_of_their_own(profile: Profile) -> None:
    for reason, row in table(profile).items():
        for effect in (row.permanent, row.temporary):
            assert (effect.category in HARD_CATEGORIES) is (effect.type is BounceType.HARD), reason


def test_conservative_is_hard_only_where_the_address_is_dead() -> None:
    hard = {reason for reason, row in table(Profile.CONSERVATIVE).items() if row.permanent.type is BounceType.HARD}
    assert hard == DEAD


def test_hubspot_is_harder() -> None:
    hubspot = table(Profile.HUBSPOT)
    assert hubspot[Reason.MAILBOX_FULL].permanent.category is Category.MAILBOX_FULL
    assert hubspot[Reason.SPAM_CONTENT].permanent.category is Category.SPAM
    assert hubspot[Reason.AUTH_FAILED].permanent.category is Category.POLICY
    assert hubspot[Reason.IP_BLOCKED].permanent.type is BounceType.SOFT


def test_docs_are_made_from_the_table() -> None:
    assert docs_rules.PROFILES.read_text("utf-8") == docs_rules.profiles_page(), "run python -m tests.docs_rules"


def rows(reasons: list[str], row: str = 'permanent = ["hard", "other"], temporary = ["soft", "other"]') -> str:
    return "[hubspot]\n" + "".join(f"{reason} = {{ {row} }}\n" for reason in reasons)


def test_a_whole_table_is_read() -> None:
    assert read(rows(list(Reason)), Profile.HUBSPOT)[Reason.EXPIRED].permanent.type is BounceType.HARD


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (rows(list(Reason)[1:]), "reasons missing .*user_unknown"),
        (rows([*Reason, "no_such_reason"]), "unknown .*no_such_reason"),
        (rows(list(Reason), 'permanent = ["hard", "other"]'), "temporary"),
        (rows(list(Reason), 'permanent = ["harder", "other"], temporary = ["soft", "other"]'), "harder"),
        (rows(list(Reason), 'permanent = ["hard"], temporary = ["soft", "other"]'), "write permanent = "),
        ("", "reasons missing"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadProfiles, match=why):
        read(text, Profile.HUBSPOT)
