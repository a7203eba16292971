"""Who can make us believe what: genuine and forged reports through all steps, with a real DNS and a real database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dkim
import pytest

from handlers.effects import Policy
from handlers.parse import parse
from server import suppressing
from storage import lifting, suppressions
from storage.lifting import Word
from storage.revision import stored
from tests.dns_fixture import Zone
from tests.integration.desk_fixture import ANN, BOB, ELSEWHERE, MX, NOW, Desk, dsn, text
from tests.integration.test_authenticate_dkim import RSA_2048

Minted = dict[str, str]
GENUINE = {"client": MX, "helo": "mail.shop.example"}
WORDS = "Your message could not be delivered to {}:\n\n550 5.1.1 <{}>: User unknown"
COPY = """

------ This is a copy of the message, including all the headers. ------

Message-ID: {}
From: shop@s.example
Subject: News
"""


@dataclass(frozen=True)
class Case:
    """A mail, made of what was minted, and what must come of it."""

    to: Callable[[Minted], str]
    raw: Callable[[Minted], bytes]
    trust: str | None
    reasons: set[str]
    suppressed: Sequence[str] = ()
    envelope: Mapping[str, Any] = field(default_factory=dict)


def to_ann(minted: Minted) -> str:
    return minted[ANN]


def to_base(minted: Minted) -> str:
    return "bounces@rp.example"


def to_xverp(minted: Minted) -> str:
    return f"{minted['base']}+{BOB.replace('@', '=')}@rp.example"


def to_forged(minted: Minted) -> str:
    token, at, domain = minted[ANN].partition("@")
    return token[:-1] + ("b" if token.endswith("a") else "a") + at + domain


def naming(minted: Minted, *stated: str, **how: Any) -> bytes:
    """Brings back the Message-ID."""
    return dsn(*stated, back=f"Message-ID: {minted['message_id']}", **how)


def signed(raw: bytes, domain: bytes) -> bytes:
    return bytes(dkim.sign(raw, b"s1", domain, RSA_2048[0], include_headers=[b"from", b"subject"])) + raw


def spoofed(head: str) -> dict[str, Any]:
    return {"head": f"From: postmaster@{head}"}


CASES = {
    "genuine": Case(
        to_ann, lambda m: naming(m, ANN), "proven", {"token", "fields", "recipient_domain"}, [ANN], GENUINE
    ),
    "genuine, from a host that proves nothing": Case(to_ann, lambda m: dsn(ANN), "proven", {"token", "fields"}, [ANN]),
    "genuine, in words": Case(to_ann, lambda m: text(WORDS.format(ANN, ANN)), "proven", {"token", "code"}, [ANN]),
    "forged token": Case(to_forged, lambda m: dsn(ANN), "suspect", {"forged_token"}),
    "no link": Case(to_base, lambda m: dsn(ANN), "suspect", {"no_link"}),
    "another recipient": Case(to_ann, lambda m: naming(m, BOB), "suspect", {"token", "other_recipient"}),
    "another recipient beside our own": Case(to_ann, lambda m: dsn(ANN, BOB), "proven", {"token", "fields"}, [ANN]),
    "nobody": Case(to_ann, lambda m: text("550 5.1.1 User unknown"), "plausible", {"token", "no_recipient"}),
    "another message of ours": Case(
        to_ann,
        lambda m: dsn(ANN, back="Message-ID: <other@s.example>"),
        "suspect",
        {"token", "other_message", "fields"},
    ),
    "sibling by Message-ID": Case(to_base, lambda m: naming(m, BOB), "plausible", {"message_id", "fields"}),
    "sibling by envelope id": Case(
        to_base, lambda m: dsn(BOB, back=f"envid{m['base']}"), "plausible", {"envelope_id", "fields"}
    ),
    "sibling by XVERP base": Case(to_xverp, lambda m: dsn(BOB), "plausible", {"base_token", "fields"}),
    "sibling by thread": Case(
        to_base,
        lambda m: dsn(BOB, head=f"From: MAILER-DAEMON@x.example\nIn-Reply-To: {m['message_id']}"),
        "plausible",
        {"thread", "fields"},
    ),
    "return path printed in the text alone": Case(
        to_base,
        lambda m: text(WORDS.format(BOB, BOB) + f"\n\nSender: {m[BOB]}"),
        "plausible",
        {"body_token", "code"},
    ),
    "another's return path comes back": Case(
        to_base,
        lambda m: dsn(BOB, back=f"Return-Path: <{m[ANN]}>\nMessage-ID: {m['message_id']}"),
        "plausible",
        {"message_id", "fields"},
    ),
    "its own return path comes back": Case(
        to_base,
        lambda m: dsn(BOB, back=f"Return-Path: <{m[BOB]}>\nMessage-ID: {m['message_id']}"),
        "proven",
        {"token_returned", "message_id", "fields"},
        [BOB],
    ),
    "sibling, from the MX": Case(
        to_base,
        lambda m: naming(m, BOB),
        "proven",
        {"message_id", "fields", "recipient_mx"},
        [BOB],
        {"client": MX, "helo": "localhost"},
    ),
    "sibling, from a host of the domain": Case(
        to_xverp, lambda m: dsn(BOB), "proven", {"base_token", "fields", "recipient_domain"}, [BOB], GENUINE
    ),
    "sibling, in words from the MX": Case(
        to_base,
        lambda m: text(WORDS.format(BOB, BOB) + COPY.format(m["message_id"])),
        "plausible",
        {"message_id", "code"},
        [],
        GENUINE,
    ),
    "sibling, from the MX as a person": Case(
        to_base,
        lambda m: naming(m, BOB),
        "plausible",
        {"message_id", "fields"},
        [],
        {**GENUINE, "reverse_path": "eve@shop.example"},
    ),
    "recipients of two domains, from the MX of one": Case(
        to_base, lambda m: naming(m, BOB, "eve@other.example"), "plausible", {"message_id", "fields"}, [], GENUINE
    ),
    "sibling, signed by the mail server": Case(
        to_base,
        lambda m: signed(naming(m, BOB, **spoofed("shop.example")), b"shop.example"),
        "proven",
        {"message_id", "fields", "recipient_domain"},
        [BOB],
    ),
    "sibling, signed by a user of the domain": Case(
        to_base,
        lambda m: signed(naming(m, BOB, head="From: eve@shop.example"), b"shop.example"),
        "plausible",
        {"message_id", "fields"},
    ),
    "sibling, signed under two authors": Case(
        to_base,
        lambda m: (
            b"From: postmaster@shop.example\r\n"
            + signed(naming(m, BOB, head="From: eve@shop.example"), b"shop.example")
        ),
        "plausible",
        {"message_id", "fields"},
    ),
    "sibling, signed by another domain": Case(
        to_base,
        lambda m: signed(naming(m, BOB, **spoofed("shop.example")), b"evil.example"),
        "plausible",
        {"message_id", "fields"},
    ),
    "gateway spoofed by HELO": Case(
        to_ann, lambda m: dsn(ANN), "suspect", {"token", "fields", "spf_fail"}, [], {"helo": "mail.shop.example"}
    ),
    "gateway spoofed in From": Case(
        to_base,
        lambda m: naming(m, BOB, **spoofed("bank.example")),
        "suspect",
        {"message_id", "fields", "dmarc_fail"},
    ),
    "gateway that signs nothing, on the token": Case(
        to_ann, lambda m: dsn(ANN, **spoofed("bank.example")), "proven", {"token", "fields", "dmarc_fail"}, [ANN]
    ),
    "forged Authentication-Results": Case(
        to_base,
        lambda m: b"Authentication-Results: rp.example; spf=pass smtp.helo=mail.shop.example\r\n" + naming(m, BOB),
        "plausible",
        {"message_id", "fields"},
    ),
    "a person on the token": Case(
        to_ann,
        lambda m: text(WORDS.format(ANN, ANN), "Eve <eve@shop.example>"),
        None,  # whoever writes of a bounce sends none
        set(),
        [],
        {"reverse_path": "eve@shop.example"},
    ),
    "a person in the form of a DSN": Case(
        to_ann,
        lambda m: dsn(ANN, head="From: Ann <ann@shop.example>"),
        "plausible",
        {"token", "fields", "person"},
        [],
        {"reverse_path": "ann@shop.example"},
    ),
    "a person who forwards a DSN": Case(
        to_ann,
        lambda m: dsn(ANN, head="From: Ann <ann@shop.example>").replace(b"Subject: ", b"Subject: Fwd: "),
        None,
        set(),
        [],
        {"reverse_path": "ann@shop.example"},
    ),
    "words without a code": Case(
        to_ann,
        lambda m: text(f"Your message could not be delivered to {ANN}: there is no such user."),
        "plausible",
        {"token", "no_code"},
    ),
    "auto-reply that quotes": Case(
        to_ann,
        lambda m: (
            b"Auto-Submitted: auto-replied\r\n"
            + text("I am out of the office.\n\n> 550 5.1.1 User unknown", "Ann <ann@shop.example>").replace(
                b"Undelivered Mail Returned to Sender", b"Automatic reply: News"
            )
        ),
        None,
        set(),
    ),
    "delayed": Case(to_ann, lambda m: dsn(ANN, action="delayed", status="4.4.1"), "proven", {"token", "fields"}),
    "relayed 5.1.1": Case(to_ann, lambda m: dsn(ANN, action="relayed"), "proven", {"token", "fields"}),
    "delivered 5.1.1": Case(to_ann, lambda m: dsn(ANN, action="delivered"), "proven", {"token", "fields"}),
    "delivered, says who knows the Message-ID": Case(
        to_base, lambda m: naming(m, BOB, action="delivered"), "plausible", {"message_id", "fields"}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_comes_of_it(desk: Desk, zone: Zone, name: str) -> None:
    case = CASES[name]
    zone.txt("_dmarc.bank.example", "v=DMARC1; p=reject")
    zone.txt("s1._domainkey.shop.example", RSA_2048[1])
    zone.txt("s1._domainkey.evil.example", RSA_2048[1])
    minted = desk.mint("m1")
    desk.mint("other")
    raw = case.raw(minted)
    capture = desk.capture(desk.take(raw, case.to(minted), **case.envelope))
    assert (capture["trust"], set(capture["trust_reasons"])) == (case.trust, case.reasons)
    assert desk.suppressed() == list(case.suppressed)
    assert desk.hard() == set(case.suppressed)
    assert case.trust != "suspect" or desk.touched() == set()
    # explain and reclassify read what is stored
    assert parse(capture["raw"], capture["envelope"]["reverse_path"]) == parse(
        raw, case.envelope.get("reverse_path", "")
    )


class TestDns:
    """The MX of the recipient's domain, asked for a report that names a message."""

    def reasons(self, desk: Desk, client: str = MX) -> set[str]:
        minted = desk.mint("m1")
        return set(desk.capture(desk.take(naming(minted, BOB), to_base(minted), client=client))["trust_reasons"])

    def test_one_that_fails_proves_nothing_and_costs_no_mail(self, desk: Desk, zone: Zone) -> None:
        zone.servfail.update({"shop.example", "mail.shop.example"})
        assert self.reasons(desk) == {"message_id", "fields", "dns_failed"}
        assert desk.suppressed() == []

    def test_a_domain_without_an_mx_is_its_own(self, desk: Desk, zone: Zone) -> None:
        zone.records = []
        zone.add(f"shop.example. 60 IN A {MX}")
        assert "recipient_mx" in self.reasons(desk)

    @pytest.mark.parametrize(
        "records",
        [
            f"shop.example. 60 IN MX 0 .\nshop.example. 60 IN A {MX}",  # RFC 7505
            f"mail.shop.example. 60 IN A {MX}",
            f"shop.example. 60 IN MX 10 gone.shop.example.\nmail.shop.example. 60 IN A {MX}",
            "shop.example. 60 IN MX 10 shop.example.",
            f"shop.example. 60 IN MX 10 {'x' * 63}.shop.example.\nmail.shop.example. 60 IN A {MX}",
        ],
        ids=["null MX", "no domain", "no host", "no address", "another host"],
    )
    def test_whoever_is_no_mx(self, desk: Desk, zone: Zone, records: str) -> None:
        zone.records = []
        zone.add(records)
        assert self.reasons(desk) == {"message_id", "fields"}

    def test_many_hosts_cost_ten_lookups(self, desk: Desk, zone: Zone) -> None:
        zone.records = []
        for number in range(50):
            zone.add(
                f"shop.example. 60 IN MX {number} h{number}.shop.example.\nh{number}.shop.example. 60 IN A 192.0.2.1"
            )
        self.reasons(desk)
        assert len([name for name in zone.names() if name[0] == "h" and name.endswith(".shop.example")]) == 10

    @pytest.mark.parametrize(
        "how",
        [
            {"to": to_ann},
            {"client": "127.0.0.1"},
            {"reverse_path": "eve@x.example"},
            {"stated": (BOB, "eve@other.example")},
            {"action": "delayed", "status": "4.4.1"},
            {"status": "4.2.2"},
        ],
        ids=["the token", "a client of ours", "a person", "two domains", "a delay", "a soft failure"],
    )
    def test_it_is_not_asked_where_it_can_change_nothing(self, desk: Desk, zone: Zone, how: dict[str, Any]) -> None:
        minted = desk.mint("m1")
        to = how.pop("to", to_base)(minted)
        notice = {name: how.pop(name) for name in ("action", "status") if name in how}
        raw = naming(minted, *how.pop("stated", (BOB,)), **notice).replace(b"User unknown", b"Mailbox is full")
        desk.take(raw, to, **{"client": MX, **how})
        assert [query for query in zone.queries if query[1] == "MX"] == []


class TestReplays:
    def test_they_have_one_effect(self, desk: Desk) -> None:
        minted = desk.mint("m1")
        first = desk.take(dsn(ANN), minted[ANN])
        again = desk.take(b"Message-ID: <another@x.example>\r\n" + dsn(ANN), minted[ANN])
        assert [desk.capture(key)["trust"] for key in (first, again)] == ["proven", "plausible"]
        assert desk.capture(again)["trust_reasons"] == ["token", "fields", "replay"]
        assert self.owners(desk) == {ANN: first}

    def test_not_even_when_a_person_has_let_the_address_go(self, desk: Desk) -> None:
        minted = desk.mint("m1")
        desk.take(dsn(ANN), minted[ANN])
        with desk.database.writer() as connection:
            assert lifting.lift(connection, [ANN], None, Word("eve", "she is back", NOW), 1)
        desk.take(dsn(ANN), minted[ANN])
        desk.take(naming(minted, ANN), "bounces@rp.example", **GENUINE)
        assert desk.suppressed() == []

    def test_one_at_the_return_path_of_another_message(self, desk: Desk) -> None:
        first, second = desk.mint("m1"), desk.mint("m2")
        capture = desk.capture(desk.take(naming(first, ANN), second[ANN]))
        assert (capture["trust"], desk.suppressed()) == ("suspect", [])

    def test_a_failure_for_good_after_one_for_now_is_none(self, desk: Desk) -> None:
        minted = desk.mint("m1")
        full = dsn(ANN, status="4.2.2").replace(b"550 4.2.2", b"452 4.2.2").replace(b"User unknown", b"Mailbox is full")
        assert desk.capture(desk.take(full, minted[ANN]))["trust"] == "proven"
        assert desk.capture(desk.take(dsn(ANN), minted[ANN]))["trust"] == "proven"
        assert desk.suppressed() == [ANN]

    def test_another_delivery_to_the_same_address_is_none(self, desk: Desk) -> None:
        for name in ("m1", "m2"):
            assert desk.capture(desk.take(dsn(ANN), desk.mint(name)[ANN]))["trust"] == "proven"

    def test_what_is_stored_says_what_follows(self, desk: Desk) -> None:
        minted = desk.mint("m1")
        keys = [desk.take(dsn(ANN), minted[ANN]) for _ in range(2)]
        with desk.database.reader() as connection:
            follows = [list(suppressing.follows(each, Policy())) for each in stored(connection, keys)]
        assert [len(each) for each in follows] == [1, 0]

    def owners(self, desk: Desk) -> dict[str, int | None]:
        with desk.database.reader() as connection:
            return {each["address"]: each["capture"] for each in suppressions.listing(connection)}


def test_our_field_stands_in_front_and_none_that_came_under_our_name(desk: Desk) -> None:
    forged = b"Authentication-Results: rp.example;\r\n\tspf=pass smtp.helo=mail.shop.example\r\n"
    other = b"Authentication-Results: mx.other.example; spf=pass\r\n"
    came = b"Received: from x by rp.example\r\n" + forged + other + dsn(ANN)
    capture = desk.capture(desk.take(came, desk.mint("m1")[ANN], client=ELSEWHERE))
    ours, rest = capture["raw"].split(b"Received: ", 1)
    assert ours.startswith(b"Authentication-Results: rp.example;\r\n\tspf=none")
    assert ours.count(b"Authentication-Results") == 1
    assert b"Received: " + rest == came.replace(forged, b"")
    assert capture["size"] == len(came)
