"""Who may get a message again."""

from datetime import timedelta

from server import minting
from storage import accounts, resend, suppressions
from storage.suppressions import Said
from tests.integration.reclassify_fixture import FULL, NOW, UNKNOWN, Shop, notice, shop

__all__ = ["shop"]

REPLIES = {"soft@x.example": FULL, "dead@x.example": UNKNOWN, "since@x.example": FULL, "quiet@x.example": None}


def test_the_soft_ones_that_may_be_mailed(shop: Shop) -> None:
    minted = minting.mint(shop.settings, minting.Request(tuple(REPLIES), "<m1@s.example>"))
    for each in minted:
        reply = REPLIES[each["recipient"]]
        if reply:
            shop.take(each["return_path"], notice(each["recipient"], reply))
    shop.bounce("other@x.example", FULL)
    with shop.database.writer() as connection:
        account = accounts.ensure(connection, "default").id
        suppressions.add(connection, account, [Said("Since@x.example")], now=NOW)
        (key,) = resend.keys(connection, "<m1@s.example>", "default")
        assert resend.keys(connection, "<m1@s.example>", "shop") == []
        found = list(resend.contacts(connection, key, NOW + timedelta(days=1)))
    assert found == [
        {
            "address": "soft@x.example",
            "message_id": "<m1@s.example>",
            "category": "recipient_problem",
            "reason": "mailbox_full",
            "resolution": None,
            "since": NOW.isoformat(),
        }
    ]
