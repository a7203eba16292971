"""The ladder: every rung in every state, what wins, and what a capture cannot bring about."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.bounce import Match
from handlers.envelope import Envelope
from handlers.match import match
from handlers.message import Delivery
from handlers.report import Report
from handlers.words import LinkMethod
from tests.unit.sent import (
    DOMAIN,
    FOREIGN_RING,
    OTHER,
    OURS,
    TODAY,
    TOKENS,
    PlainLedger,
    base,
    envelope,
    failed,
    message,
    original,
    report,
    sent,
    token,
)

MESSAGE = message()
ANN = sent(1, "Ann@x.example", MESSAGE)
BOB = sent(2, "bob@x.example", MESSAGE)
CY = sent(3, "cy@y.example", message("m2"))
STRANGER = sent(4, "ann@x.example", message("m3", OTHER))
SENT = [ANN, BOB, CY, STRANGER]


def matched(report: Report, to: str | Envelope = f"bounces@{DOMAIN}", sent: list[Delivery] | None = None) -> Match:
    to = envelope(to) if isinstance(to, str) else to
    return match(to, report, PlainLedger(SENT if sent is None else sent), TOKENS)


def rungs(found: Match) -> list[tuple[str, str, str, int | None, str]]:
    return [(each.method, each.where, each.state, each.delivery, each.strength) for each in found.links]


def path(delivery: Delivery) -> str:
    return f"{delivery.token}@{DOMAIN}"


def test_nothing_that_ties() -> None:
    assert matched(report(failed("ann@x.example"))) == Match()


@pytest.mark.parametrize(
    ("to", "fields", "rung"),
    [
        (path(ANN), {}, ("token", "forward_path", "valid", 1, "strong")),
        (path(ANN).upper(), {}, ("token", "forward_path", "valid", 1, "strong")),
        (f"prvs=1234567890={path(ANN)}", {}, ("token", "forward_path", "valid", 1, "strong")),
        ("", {"original_envelope_id": "env-m1"}, ("envelope_id", "original_envelope_id", "valid", 1, "strong")),
        ("", {"original": original()}, ("message_id", "rfc822", "valid", 1, "strong")),
        (
            "",
            {"original": original(where="rfc822-headers")},
            ("message_id", "rfc822-headers", "valid", 1, "strong"),
        ),
        ("", {"original": original(where="inline")}, ("message_id", "inline", "valid", 1, "strong")),
        ("", {"in_reply_to": ("<m1@sender.example>",)}, ("thread", "in_reply_to", "valid", 1, "weak")),
        ("", {"references": ("<m1@sender.example>",)}, ("thread", "references", "valid", 1, "weak")),
        ("", {"addresses_in_text": (path(ANN),)}, ("body_token", "text", "valid", 1, "weak")),
    ],
)
def test_every_rung_leads_to_the_delivery(to: str, fields: dict[str, Any], rung: tuple[object, ...]) -> None:
    found = matched(report(failed("ann@X.example"), **fields), to or f"bounces@{DOMAIN}")
    assert rungs(found) == [rung]
    assert (found.delivery, found.account, found.strength) == (ANN, OURS, rung[4])


def test_the_ladder_is_in_its_order_and_the_first_strong_one_wins() -> None:
    everything = report(
        failed("ann@x.example"),
        addresses_in_text=(path(BOB),),
        references=("<m3@sender.example>",),
        in_reply_to=("<m2@sender.example>",),
        original=original("m2"),
        original_envelope_id="env-m2",
    )
    found = matched(everything, path(ANN))
    assert [each.method for each in found.links] == [
        LinkMethod.TOKEN,
        LinkMethod.ENVELOPE_ID,
        LinkMethod.MESSAGE_ID,
        LinkMethod.THREAD,
        LinkMethod.THREAD,
        LinkMethod.BODY_TOKEN,
    ]
    assert [each.delivery for each in found.links] == [1, 3, 3, 3, 4, 2]
    assert (found.delivery, found.token and found.token.text) == (ANN, ANN.token)
    without_token = matched(everything)
    assert (without_token.delivery, without_token.token) == (CY, None)


def test_a_strong_link_wins_over_a_weak_one_that_stands_before_it() -> None:
    unregistered = f"{base()}+eve=x.example@{DOMAIN}"
    found = matched(report(failed("bob@x.example"), original=original()), unregistered)
    assert [each.strength for each in found.links] == ["weak", "strong"]
    assert found.delivery == BOB


@pytest.mark.parametrize(
    ("days", "state"), [(0, "valid"), (90, "valid"), (91, "late"), (180, "late"), (181, "expired")]
)
def test_the_age_of_a_token(days: int, state: str) -> None:
    old = token("ann@x.example", day=TODAY - timedelta(days=days))
    found = matched(report(failed("ann@x.example")), f"{old}@{DOMAIN}", [replace(ANN, token=old)])
    assert rungs(found)[0][2:] == ((state, 1, "strong") if state != "expired" else (state, None, "none"))
    assert (found.delivery is not None, found.token is not None) == (state != "expired", state != "expired")


@pytest.mark.parametrize(
    ("address", "state"),
    [
        (f"{token('ann@x.example', ring=FOREIGN_RING)}@{DOMAIN}", "bad_mac"),
        (f"{str(ANN.token)[:-1]}{'a' if str(ANN.token)[-1] != 'a' else 'b'}@{DOMAIN}", "bad_mac"),
        (f"bz{'a' * 34}@{DOMAIN}", "unknown_key"),
        (f"{token('ann@x.example', day=TODAY + timedelta(days=3))}@{DOMAIN}", "expired"),
    ],
)
@pytest.mark.parametrize("method", ["token", "body_token"])
def test_a_token_that_is_not_ours_ties_nothing(address: str, state: str, method: str) -> None:
    fields: dict[str, Any] = {"addresses_in_text": (address,)} if method == "body_token" else {}
    found = matched(report(failed("ann@x.example"), **fields), address if method == "token" else "x@rp.example")
    assert [(each.method, each.state, each.delivery, each.strength) for each in found.links] == [
        (method, state, None, "none")
    ]
    assert (found.delivery, found.account, found.token, found.strength) == (None, None, None, "none")


@pytest.mark.parametrize(
    "address",
    [
        f"{ANN.token}@elsewhere.example",
        f"bounces@{DOMAIN}",
        f"postmaster@{DOMAIN}",
        "",
        "@",
        "no address",
        "\ud800@" + DOMAIN,
    ],
)
def test_what_is_no_token_is_no_link(address: str) -> None:
    assert matched(report(failed("ann@x.example"), addresses_in_text=(address,)), address).links == ()


@pytest.mark.parametrize(
    ("fields", "rung"),
    [
        ({"original_envelope_id": "env-x"}, ("envelope_id", "original_envelope_id", "foreign", None, "none")),
        ({"original": original("x")}, ("message_id", "rfc822", "foreign", None, "none")),
        ({"original": original("x", "inline")}, ("message_id", "inline", "foreign", None, "none")),
        ({"in_reply_to": ("<x@sender.example>",)}, ("thread", "in_reply_to", "foreign", None, "none")),
        ({"references": ("<x@sender.example>",)}, ("thread", "references", "foreign", None, "none")),
    ],
)
def test_what_is_not_ours_is_foreign(fields: dict[str, Any], rung: tuple[object, ...]) -> None:
    found = matched(report(failed("ann@x.example"), **fields))
    assert rungs(found) == [rung]
    assert (found.delivery, found.account, found.strength) == (None, None, "none")


def test_a_base_with_an_extension_is_a_return_path_that_nobody_minted() -> None:
    found = matched(report(failed("ann@x.example")), "bounces+guess-0123@RP.example")
    assert rungs(found) == [("token", "forward_path", "malformed", None, "none")]
    assert found.links[0].value == "bounces+guess-0123"
    elsewhere = report(failed("ann@x.example"), addresses_in_text=("bounces+x@rp.example",))
    assert matched(elsewhere, "bounces+x@other.example").links == ()


def test_an_inline_copy_proves_nothing_in_a_persons_mail() -> None:
    forwarded = report(failed("ann@x.example"), original=original(where="inline"))
    assert matched(forwarded, envelope("bounces@rp.example", reverse_path="eve@x.example")).strength == "weak"
    attached = report(failed("ann@x.example"), original=original())
    assert matched(attached, envelope("bounces@rp.example", reverse_path="eve@x.example")).strength == "strong"


def test_of_a_message_the_stated_recipients_are_meant() -> None:
    assert matched(report(failed("BOB@x.example"), original=original())).deliveries == (BOB,)
    assert matched(report(failed("forward@z.example", "bob@x.example"), original=original())).deliveries == (BOB,)
    both = matched(report(failed("bob@x.example"), failed("ann@x.example"), original=original()))
    assert both.deliveries == (ANN, BOB)


def test_of_a_message_to_many_nobody_is_meant_who_is_not_stated() -> None:
    found = matched(report(failed("eve@z.example"), original=original()))
    assert (found.deliveries, found.strength, found.links[0].state) == ((), "strong", "valid")


def test_the_only_recipient_of_a_message_is_meant() -> None:
    assert matched(report(failed("eve@z.example"), original=original("m2"))).delivery == CY
    assert matched(report(original=original("m2"))).delivery == CY


def test_a_message_of_two_accounts_is_nobodys() -> None:
    theirs = replace(STRANGER, message=replace(STRANGER.message, message_id=MESSAGE.message_id))
    found = matched(report(failed("ann@x.example"), original=original()), sent=[ANN, theirs])
    assert (found.deliveries, found.account, found.links[0].state) == ((), None, "valid")
    # its token says whose
    assert matched(report(failed("ann@x.example"), original=original()), path(ANN), [ANN, theirs]).account == OURS


def test_a_token_that_another_account_registered_is_its_own_accounts() -> None:
    stolen = replace(STRANGER, token=ANN.token)
    found = matched(report(failed("ann@x.example")), path(ANN), [stolen])
    assert (found.delivery, found.account, found.strength) == (None, OURS, "strong")


def test_a_token_minted_offline_names_its_account() -> None:
    found = matched(report(failed("new@x.example")), f"{token('new@x.example', OTHER)}@{DOMAIN}", [])
    assert rungs(found) == [("token", "forward_path", "valid", None, "strong")]
    assert (found.delivery, found.account) == (None, OTHER)
    assert found.token is not None


def test_a_token_of_an_account_that_is_not_known() -> None:
    of_nobody = f"{token('new@x.example', replace(OURS, id=77))}@{DOMAIN}"
    found = matched(report(failed("new@x.example")), of_nobody, [])
    assert (found.account, found.strength) == (None, "strong")


class TestXverpBase:
    """`base+user=domain`: the base is signed, what stands behind it is not (docs/tokens.md, XVERP)."""

    BASE = base()
    FIRST = sent(10, "jane@x.example", message("m9", envelope_id=BASE), with_token=False)
    SECOND = sent(11, "joe@x.example", message("m9", envelope_id=BASE), with_token=False)

    def found(self, behind: str, *stated: str) -> Match:
        states = [failed(address) for address in stated]
        return matched(report(*states), f"{self.BASE}{behind}@{DOMAIN}", [self.FIRST, self.SECOND])

    def test_a_registered_recipient_behind_it_is_meant(self) -> None:
        found = self.found("+JANE=x.example", "jane@x.example")
        assert (found.deliveries, found.strength, found.account) == ((self.FIRST,), "strong", OURS)

    def test_a_registered_recipient_that_is_stated_is_meant(self) -> None:
        assert self.found("", "joe@x.example").deliveries == (self.SECOND,)

    @pytest.mark.parametrize("behind", ["", "+eve=x.example"])
    def test_anybody_else_is_a_claim(self, behind: str) -> None:
        found = self.found(behind, "eve@x.example")
        assert (found.deliveries, found.strength, found.account) == ((), "weak", OURS)

    def test_a_base_that_another_account_gave_as_envelope_id(self) -> None:
        theirs = replace(self.FIRST, message=replace(self.FIRST.message, account=OTHER))
        found = matched(report(failed("jane@x.example")), f"{self.BASE}@{DOMAIN}", [theirs])
        assert (found.deliveries, found.strength) == ((), "weak")


def test_many_references_cost_ten_lookups_and_the_newest_count() -> None:
    ledger = PlainLedger([CY])
    many = tuple(f"<{i}@x.example>" for i in range(5000))
    found = match(envelope(), report(in_reply_to=many, references=(*many, "<m2@sender.example>")), ledger, TOKENS)
    assert (ledger.asked, len(found.links)) == (10, 10)
    found = match(envelope(), report(references=(*many, "<m2@sender.example>")), ledger, TOKENS)
    assert (found.delivery, found.links[0].value) == (CY, "<m2@sender.example>")


def test_a_reference_that_is_named_twice_is_asked_for_once() -> None:
    ledger = PlainLedger([CY])
    twice = ("<m2@sender.example>",) * 2
    found = match(envelope(path(CY), path(CY)), report(in_reply_to=twice, references=twice), ledger, TOKENS)
    assert [(each.method, each.where) for each in found.links] == [("token", "forward_path"), ("thread", "in_reply_to")]
    assert ledger.asked == 2
