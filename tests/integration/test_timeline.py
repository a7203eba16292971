"""What is known of a contact: of its own account everything, of others nothing."""

from dataclasses import replace
from typing import Any

from handlers.message import Delivery
from handlers.words import BounceType, Category, Reason
from storage import accounts, messages, suppressions, timeline
from storage.database import Database
from storage.suppressions import Said
from tests.integration.test_storage_states import ARRIVED, DELAYED, FAILED, START, Make, put, says


def sent(database: Database, account: str, *recipients: str, kind: str = "marketing") -> list[Delivery]:
    with database.writer() as connection:
        pairs: list[tuple[str, str | None]] = [(each, f"{account}-{each}") for each in recipients]
        return messages.register(
            connection, account, pairs, message_id=f"<m@{account}.example>", kind=kind, sent_at=START, subject="News"
        )


def contact(database: Database, address: str, account: str) -> dict[str, Any]:
    with database.reader() as connection:
        whose = accounts.find(connection, account)
        assert whose is not None
        return timeline.contact(connection, address, whose).shape()


def knowing(database: Database, address: str) -> list[str]:
    with database.reader() as connection:
        return [each.name for each in timeline.knowing(connection, address)]


def test_everything_in_the_order_of_time(database: Database, outcome_of: Make) -> None:
    ours = sent(database, "shop", "Ann@x.example", kind="one_to_one")[0]
    put(database, says(outcome_of, DELAYED, 10, ours, 1), says(outcome_of, FAILED, 20, ours, 2))
    with database.writer() as connection:
        suppressions.add(
            connection, ours.message.account.id, [Said("ann@x.example")], now=START, who="Eve", why="she asked us to"
        )
    shown = contact(database, "ANN@x.example", "shop")
    entries = [(each["what"], each.get("to") or each.get("type") or each.get("kind")) for each in shown["timeline"]]
    assert entries[0] == ("sent", "one_to_one")
    assert [each for each in entries if each[0] != "suppression"][1:] == [
        ("capture", "failure"),
        ("bounce", "pending"),
        ("state", "pending"),
        ("capture", "failure"),
        ("bounce", "hard"),
        ("state", "hard"),
    ]
    assert [each["at"] for each in shown["timeline"]] == sorted(each["at"] for each in shown["timeline"])
    suppressed = [each for each in shown["timeline"] if each["what"] == "suppression"]
    assert suppressed
    assert {each["global"] for each in suppressed} == {False}
    assert (shown["eligible"], shown["last_hard_bounce_reason"]) == (False, "unknown_user")
    assert shown["timeline"][0]["state"] == "hard"


def test_a_message_to_several_goes_on_for_the_others(database: Database, outcome_of: Make) -> None:
    ann, bob = sent(database, "shop", "ann@x.example", "bob@x.example")
    put(database, says(outcome_of, FAILED, 10, ann, 1), says(outcome_of, ARRIVED, 20, bob, 2))
    shown = contact(database, "bob@x.example", "shop")
    assert (shown["eligible"], shown["last_hard_bounce_reason"]) == (True, None)
    assert [each["what"] for each in shown["timeline"]] == ["sent", "capture", "state"]
    assert shown["timeline"][0]["state"] == "delivered"


def test_an_account_sees_its_own_only(database: Database, outcome_of: Make) -> None:
    ann = sent(database, "shop", "ann@x.example")[0]
    sent(database, "bank", "bob@x.example")
    put(database, says(outcome_of, FAILED, 10, ann, 1))
    assert contact(database, "ann@x.example", "bank")["timeline"] == []
    assert knowing(database, "Ann@X.example") == ["shop"]
    sent(database, "club", "ann@x.example")
    assert knowing(database, "ann@x.example") == ["club", "shop"]
    assert [each["what"] for each in contact(database, "ann@x.example", "club")["timeline"]] == ["sent"]
    assert knowing(database, "eve@x.example") == []


def test_what_holds_for_everyone_says_no_reason(database: Database, outcome_of: Make) -> None:
    """It is ineligible without a hard bounce reason of its own."""
    sent(database, "shop", "ann@x.example")
    with database.writer() as connection:
        said = Said("ann@x.example", Category.UNKNOWN_USER, Reason.USER_UNKNOWN)
        suppressions.add(connection, None, [said], now=START, who="the operator", why="three accounts")
    shown = contact(database, "ann@x.example", "shop")
    assert (shown["eligible"], shown["last_hard_bounce_reason"]) == (False, None)
    assert (shown["suppression"]["globally_ineligible"], shown["suppression"]["category"]) == (True, None)
    entry = shown["timeline"][-1]
    assert (entry["what"], entry["change"], entry["global"]) == ("suppression", "added", True)
    assert {entry[name] for name in ("category", "reason", "who", "why")} == {None}


def test_the_last_hard_reason_is_of_a_proven_bounce(database: Database, outcome_of: Make) -> None:
    one, two, three = (sent(database, "shop", f"{name}@x.example")[0] for name in ("ann", "bob", "cat"))
    for position, each in enumerate((one, two, three)):
        made = says(outcome_of, FAILED, position, each, position)
        full = replace(made.bounces[0].verdict, category=Category.MAILBOX_FULL, reason=Reason.MAILBOX_FULL)
        soft = replace(full, type=BounceType.SOFT)
        bounce = (
            replace(made.bounces[0], verdict=full),
            replace(made.bounces[0], proven=False),
            replace(made.bounces[0], verdict=soft),
        )[position]
        put(database, replace(made, bounces=(bounce,)))
    found = [contact(database, each.recipient, "shop")["last_hard_bounce_reason"] for each in (one, two, three)]
    assert found == ["mailbox_full", None, None]


def test_it_has_an_end(database: Database, outcome_of: Make) -> None:
    ours = sent(database, "shop", "ann@x.example")[0]
    number = timeline.MOST + 3
    put(database, *(says(outcome_of, FAILED, 10 + i, ours, i / 60) for i in range(number)))
    shown = contact(database, "ann@x.example", "shop")["timeline"]
    captured = [each["capture"] for each in shown if each["what"] == "capture"]
    assert captured == list(range(13, 13 + timeline.MOST))
