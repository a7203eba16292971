"""Captures judged again: what changes and what stays."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from handlers import verp
from handlers.effects import Standing
from handlers.envelope import Mail
from handlers.keys import account_key
from handlers.ports import Said, Unreadable
from handlers.words import Category, Reason
from server import minting
from server.reading import ReaderMissing
from server.reclassify import Change, Judged
from storage import accounts, lifting, revision, standing, suppressions, tables
from storage.keyring import KeyFile
from storage.lifting import Word
from storage.standing import Key
from tests.integration.reclassify_fixture import (
    FULL,
    GOLDEN,
    GONE,
    NOW,
    OWN,
    POLICY,
    SPAM,
    UNKNOWN,
    Shop,
    notice,
    rules,
)
from tests.plain_reader import PlainReader


def test_unchanged_rules_change_nothing(shop: Shop) -> None:
    """Every golden mail, as what came to the return path of one recipient."""
    to = shop.mint("ann@x.example")
    for path in GOLDEN:
        shop.take(to, path.read_bytes())
    shop.bounce("bob@x.example", UNKNOWN)
    shop.take("b\udcff+\x00@rp.example", b"Subject: \xff\x00 \xed\xa0\x80\r\n\r\n\\u0000\x00\r\n")
    before = shop.rows()
    assert len(before["suppression"]) >= 1
    tally = shop.reclassify()
    assert (tally.captures, tally.changed, tally.unread) == (len(GOLDEN) + 2, 0, 0)
    assert shop.rows() == before


class TestOwnRules:
    @pytest.fixture
    def captures(self, shop: Shop) -> list[int]:
        return [shop.bounce(f"{name}@x.example", reply) for name, reply in
                [("ann", UNKNOWN), ("bob", FULL), ("cid", GONE), ("dee", UNKNOWN)]]  # fmt: skip

    def test_change_verdicts_and_suppressions(self, shop: Shop, captures: list[int]) -> None:
        before = shop.rows()
        assert set(shop.suppressed()) == {"ann@x.example", "cid@x.example", "dee@x.example"}
        tally = shop.reclassify(OWN)
        assert [(each[0], *each[1:]) for each in shop.bounced() if each[3].startswith("own.")] == [
            ("ann@x.example", "soft", "sender_rejected", "own.policy"),
            ("bob@x.example", "hard", "user_unknown", "own.dead"),
            ("dee@x.example", "soft", "sender_rejected", "own.policy"),
        ]
        assert shop.suppressed() == {
            "cid@x.example": ("user_unknown", captures[2]),
            "bob@x.example": ("user_unknown", captures[1]),
        }
        told = [[each["rule"] for each in recipients] for (recipients,) in shop.captured("recipients")]
        assert [each[0] for each in told if each[0].startswith("own.")] == ["own.policy", "own.dead", "own.policy"]
        assert (tally.captures, tally.changed, tally.verdicts.total()) == (4, 3, 3)
        assert (tally.suppressions_added, tally.suppressions_removed, tally.suppressions_changed) == (1, 2, 0)
        ((change, number),) = tally.verdicts.most_common(1)
        assert (change.after, number, tally.examples[change]) == (
            Judged("sender_rejected", "soft", "own.policy"),
            2,
            captures[0],
        )
        after = shop.rows()
        kept = [[(row[0], row[-1]) for row in rows["bounce"]] for rows in (before, after)]
        assert kept[0] == kept[1]  # ids and times: nobody is told of them again
        assert shop.captured("authentication") == [({"spf": "pass"},)] * 4

    def test_a_second_run_changes_nothing_and_ours_again_restore(self, shop: Shop, captures: list[int]) -> None:
        bounces, suppressed = shop.rows()["bounce"], shop.suppressed()
        shop.reclassify(OWN)
        after = shop.rows()
        assert shop.reclassify(OWN).changed == 0
        assert shop.rows() == after
        back = shop.reclassify()
        assert (back.changed, back.suppressions_added, back.suppressions_removed) == (3, 2, 1)
        assert (shop.rows()["bounce"], shop.suppressed()) == (bounces, suppressed)

    def test_a_dry_run_tells_the_same_and_does_nothing(self, shop: Shop, captures: list[int]) -> None:
        for _ in range(2):  # others that say the same, on either side of it
            shop.bounce("ann@x.example", GONE)
            shop.bounce("eve@x.example", UNKNOWN)
            shop.bounce("eve@x.example", FULL)
        before = shop.rows()
        told = shop.reclassify(OWN, SPAM, dry=True)
        assert shop.rows() == before
        assert told == shop.reclassify(OWN, SPAM)
        assert shop.rows() != before
        assert set(shop.suppressed()) == {"bob@x.example", "eve@x.example"}


class TestSuppressions:
    def test_another_capture_takes_one_over(self, shop: Shop) -> None:
        first = shop.bounce("ann@x.example", UNKNOWN)
        second = shop.bounce("Ann@x.example", GONE, at=NOW + timedelta(hours=1))
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", first)}
        tally = shop.reclassify(OWN)
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", second)}
        assert tally.suppressions == 0
        with shop.database.reader() as connection:
            assert [each["since"] for each in suppressions.listing(connection)] == [
                (NOW + timedelta(hours=1)).isoformat()
            ]
        assert shop.reclassify(OWN, SPAM).suppressions_removed == 1
        assert shop.suppressed() == {}

    @pytest.mark.parametrize("page", [1, 2, 100])
    def test_pages_do_not_matter(self, shop: Shop, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
        monkeypatch.setattr(revision, "_PAGE", page)
        captures = [shop.bounce("ann@x.example", reply) for reply in (UNKNOWN, GONE, UNKNOWN, GONE, FULL)]
        told = shop.reclassify(OWN, dry=True)
        assert told == shop.reclassify(OWN)
        assert (told.captures, told.verdicts.total(), told.suppressions) == (5, 3, 0)
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", captures[1])}
        told = shop.reclassify(POLICY, SPAM, dry=True)
        assert told == shop.reclassify(POLICY, SPAM)
        assert shop.suppressed() == {}

    def test_what_a_person_said_stays(self, shop: Shop) -> None:
        with shop.database.writer() as connection:
            account = accounts.ensure(connection, "default")
            suppressions.add(connection, account.id, [suppressions.Said("ann@x.example")], now=NOW)
        shop.bounce("ann@x.example", UNKNOWN)
        for own in ((OWN,), ()):
            assert shop.reclassify(*own).suppressions == 0
            assert shop.suppressed() == {"ann@x.example": ("suppressed", None)}

    def test_what_a_person_took_back_does_not_return(self, shop: Shop) -> None:
        shop.bounce("ann@x.example", UNKNOWN)
        with shop.database.writer() as connection:
            assert lifting.lift(connection, ["ann@x.example"], None, Word("eve", "she is back", NOW), 1)
        assert shop.reclassify().suppressions == 0
        assert shop.reclassify(OWN.replace("sender_rejected", "mailbox_disabled")).suppressions == 0
        assert shop.suppressed() == {}
        new = shop.bounce("ann@x.example", UNKNOWN, at=NOW + timedelta(seconds=1))
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", new)}
        assert shop.reclassify(OWN).suppressions_removed == 1
        assert shop.reclassify().suppressions_added == 1
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", new)}

    def test_one_that_does_not_follow_any_more_goes_though_its_verdict_stays(self, shop: Shop) -> None:
        """As when what follows from a verdict was changed."""
        shop.bounce("ann@x.example", FULL)
        with shop.database.writer() as connection:
            account = accounts.ensure(connection, "default")
            connection.execute(update(tables.bounce).values(suppresses=True))
            dead = Standing(Category.UNKNOWN_USER, Reason.USER_UNKNOWN, NOW, capture=shop.position)
            standing.write(connection, {}, {Key("ann@x.example", account.id): dead})
        assert shop.reclassify(dry=True).suppressions_removed == 1
        assert shop.reclassify().suppressions_removed == 1
        assert shop.suppressed() == {}

    def test_its_reason_follows_the_verdict(self, shop: Shop) -> None:
        capture = shop.bounce("ann@x.example", UNKNOWN)
        tally = shop.reclassify(OWN.replace("sender_rejected", "mailbox_disabled"))
        assert (tally.suppressions_changed, tally.suppressions) == (1, 1)
        assert shop.suppressed() == {"ann@x.example": ("mailbox_disabled", capture)}


class TestWhatIsReadAgain:
    def test_held_captures_are_tried_again(self, shop: Shop) -> None:
        capture = shop.bounce("ann@x.example", UNKNOWN, held="reading it took longer than 10 seconds")
        assert shop.captured("kind", "held") == [("other", "reading it took longer than 10 seconds")]
        assert shop.bounced() == []
        tally = shop.reclassify()
        assert (tally.no_longer_held, tally.kinds, tally.detectability, tally.suppressions_added) == (1, 1, 1, 1)
        assert list(tally.verdicts) == [Change(None, Judged("user_unknown", "hard", shop.bounced()[0][3]))]
        assert shop.captured("kind", "detectability", "held", "faults") == [("failure", "matched", None, [])]
        assert shop.suppressed() == {"ann@x.example": ("user_unknown", capture)}

    @pytest.mark.parametrize("fault", [None, ValueError("a fault of ours")])
    def test_what_cannot_be_read_now_keeps_what_it_has(self, shop: Shop, fault: Exception | None) -> None:
        class FailingReader(PlainReader):
            def one(self, mail: Mail) -> Said | Unreadable:
                if b"ann@" not in mail.raw:
                    return super().one(mail)
                if fault:
                    raise fault
                return Unreadable("too slow")

        shop.bounce("ann@x.example", UNKNOWN)
        shop.bounce("bob@x.example", UNKNOWN)
        tally = shop.reclassify(OWN, reader=FailingReader(rules(OWN)))
        assert (tally.captures, tally.changed, tally.unread) == (2, 1, 1)
        assert set(shop.suppressed()) == {"ann@x.example"}

    def test_without_a_reader_nothing_is_done(self, shop: Shop) -> None:
        class MissingReader(PlainReader):
            def one(self, mail: Mail) -> Said | Unreadable:
                raise ReaderMissing("no process left")

        shop.bounce("ann@x.example", UNKNOWN)
        before = shop.rows()
        with pytest.raises(ReaderMissing):
            shop.reclassify(OWN, reader=MissingReader(rules(OWN)))
        assert shop.rows() == before

    def test_what_is_known_to_be_ours_by_now_is_matched(self, shop: Shop) -> None:
        original = b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <m1@s.example>\r\n\r\n--b--"
        shop.take("bounces@rp.example", notice("ann@x.example", UNKNOWN).replace(b"--b--", original))
        assert shop.captured("detectability") == [("unmatched",)]
        minting.mint(shop.settings, minting.Request(("ann@x.example",), "<m1@s.example>"))
        tally = shop.reclassify()
        assert (tally.detectability, tally.verdicts.total(), tally.suppressions_added) == (1, 0, 0)
        assert shop.captured("detectability") == [("matched",)]
        assert [each[0] for each in shop.bounced()] == ["ann@x.example"]

    @pytest.mark.parametrize("change", ["years", "keys", "domain"])
    def test_a_token_that_was_good_then_stays_good(self, shop: Shop, change: str) -> None:
        shop.bounce("ann@x.example", UNKNOWN)
        with shop.database.reader() as connection:
            account = accounts.find(connection, "default")
        assert account is not None
        key = account_key(KeyFile(shop.settings.data_dir).ring(), account.id)
        unregistered = verp.mint(key, "rp.example", "bob@x.example", NOW.date())
        shop.take(f"{unregistered}@rp.example", notice("bob@x.example", UNKNOWN))
        before = shop.rows()
        assert len(before["bounce"]) == len(before["suppression"]) == 2
        tokens = shop.ports.tokens
        if change == "years":
            tokens = replace(tokens, today=lambda: NOW.date() + timedelta(days=5000))
        elif change == "keys":
            (shop.settings.data_dir / "keys.json").unlink()
            tokens = replace(tokens, ring=KeyFile(shop.settings.data_dir).ring)
        else:
            tokens = replace(tokens, domain="other.example")
        assert shop.reclassify(tokens=tokens).changed == 0
        assert shop.rows() == before
        assert shop.reclassify(OWN, tokens=tokens).suppressions_removed == 2

    def test_a_forged_token_proves_nothing_again(self, shop: Shop) -> None:
        to = shop.mint("ann@x.example")
        shop.take(
            ("b" + "a" * 35 if to[1] != "a" else "b" + "c" * 35) + "@rp.example", notice("ann@x.example", UNKNOWN)
        )
        assert shop.captured("detectability") == [("unmatched",)]
        assert shop.reclassify().changed == 0
