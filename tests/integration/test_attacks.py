"""What is tried at an MX of return paths: guesses at the door, reports of another's mail, repeats, costs.

test_forged.py has who is believed what, test_webhook_attacks.py what the URL of a webhook can do.
"""

import random
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers import verp
from handlers.keys import account_key
from handlers.words import Trust
from server import minting
from storage import events, messages, suppressions
from storage.keyring import KeyFile
from tests.dns_fixture import Zone
from tests.intake_fixture import DOMAIN, StartIntake, body, minted
from tests.integration.desk_fixture import ANN, BOB, Desk, crlf, dsn

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
REFUSED = "550 5.1.1 No such address"

GUESSES: dict[str, Callable[[str], list[str]]] = {
    "another character in any place": lambda token: [
        token[:place] + other + token[place + 1 :]
        for place in range(len(token))
        for other in ALPHABET
        if other != token[place]
    ],
    "cut anywhere": lambda token: [part for cut in range(1, len(token)) for part in (token[:cut], token[cut:])],
    "one character more, anywhere": lambda token: [
        token[:place] + more + token[place:] for place in range(len(token) + 1) for more in "ab7"
    ],
    "two that change places": lambda token: [
        token[:place] + token[place + 1] + token[place] + token[place + 2 :]
        for place in range(len(token) - 1)
        if token[place] != token[place + 1]
    ],
}


class TestAtTheDoor:
    @pytest.mark.parametrize("name", GUESSES)
    async def test_no_guess_is_near_enough(self, start_intake: StartIntake, name: str) -> None:
        intake = await start_intake(limits={"guesses": 10_000, "errors": 10_000})
        token = minted(intake.settings.data_dir)["token"]
        guesses = GUESSES[name](token)
        client = await intake.greeted()
        await client.ask("HELO client.example")
        await client.ask("MAIL FROM:<>")
        await client.send(b"".join(b"RCPT TO:<%b@%b>\r\n" % (each.encode(), DOMAIN.encode()) for each in guesses))
        assert {await client.reply() for _ in guesses} == {REFUSED}
        assert (await client.ask(f"RCPT TO:<{token}@{DOMAIN}>")).startswith("250 ")

    async def test_of_a_thousand_guesses_few_are_heard_and_none_is_taken(self, start_intake: StartIntake) -> None:
        intake = await start_intake()
        draw = random.Random(7)
        told = list[bytes]()
        for _ in range(50):
            guesses = ["b" + "".join(draw.choices(ALPHABET, k=35)) for _ in range(20)]
            client = await intake.connect("127.0.0.2")
            commands = [
                "HELO client.example",
                "MAIL FROM:<>",
                *(f"RCPT TO:<{each}@{DOMAIN}>" for each in guesses),
                "QUIT",
            ]
            client.writer.write("".join(f"{each}\r\n" for each in commands).encode())  # who is cut off writes on
            told += (await client.rest()).split(b"\r\n")
        assert not [line for line in told if line.startswith(b"250 2.1.5")]
        assert sum(line == REFUSED.encode() for line in told) < intake.settings.limits.guesses
        assert (await intake.deliver(b"x\r\n", "127.0.0.3")).startswith("250 ")

    async def test_many_received_lines_are_a_mail_like_any_other(self, start_intake: StartIntake) -> None:
        intake = await start_intake()
        raw = b"Received: from a.example by b.example; Thu, 1 Jan 2026 00:00:00 +0000\r\n" * 150 + dsn(
            "jane@example.org"
        )
        assert (await intake.deliver(raw)).startswith("250 ")
        assert [body(mail) for mail in intake.captured()] == [raw]


def arf(*stated: str, message_id: str = "") -> bytes:
    """A complaint (RFC 5965) about these recipients, which anybody can write."""
    recipients = "\n".join(f"Original-Rcpt-To: {each}" for each in stated)
    return crlf(f"""\
From: feedback@provider.example
Subject: Complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

550 5.1.1 User unknown
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: x/1
Version: 1
{recipients}

--b
Content-Type: message/rfc822

From: shop@s.example
Message-ID: {message_id}

--b--
""")


def aged(desk: Desk, recipient: str) -> str:
    """A return path that we signed too long ago, and registered."""
    long_ago = datetime.now(UTC).date() - timedelta(days=200)
    token = verp.mint(account_key(KeyFile(desk.settings.data_dir).ring(), 1), "rp.example", recipient, long_ago)
    with desk.database.writer() as connection:
        messages.register(connection, "default", [(recipient, token)], message_id="<old@s.example>")
    return f"{token}@rp.example"


Minted = dict[str, str]
# what comes -> how far it is believed; none of these may touch anybody's address or delivery
HARMLESS: dict[str, tuple[Callable[[Desk, Minted], tuple[bytes, str]], Trust | None]] = {
    "on an expired return path": (lambda desk, ann: (dsn(ANN), aged(desk, ANN)), Trust.SUSPECT),
    "expanded, with the status of a failure": (
        lambda desk, ann: (dsn(ANN, action="expanded"), ann[ANN]),
        Trust.PROVEN,
    ),
    "a complaint on the token": (lambda desk, ann: (arf(ANN), ann[ANN]), None),
    "a complaint about another one, on the token": (lambda desk, ann: (arf(BOB), ann[ANN]), None),
    "a complaint that knows the Message-ID": (
        lambda desk, ann: (arf(ANN, BOB, message_id=ann["message_id"]), "bounces@rp.example"),
        None,
    ),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_it_touches_nobody(desk: Desk, name: str) -> None:
    make, trust = HARMLESS[name]
    raw, to = make(desk, desk.mint("m1"))
    capture = desk.capture(desk.take(raw, to))
    assert capture["trust"] == trust
    assert (desk.suppressed(), desk.touched()) == ([], set())


# what is taken to the return path of another account's message to the same recipient; theirs, ours -> the mail
BETWEEN_ACCOUNTS: dict[str, Callable[[Minted, Minted], bytes]] = {
    "their Message-ID": lambda theirs, ours: dsn(ANN, back=f"Message-ID: {theirs['message_id']}"),
    "their recipient": lambda theirs, ours: dsn(BOB),
    "their return path inside": lambda theirs, ours: dsn(BOB, back=f"Return-Path: <{theirs[BOB]}>"),
    "their return path and Message-ID inside": lambda theirs, ours: dsn(
        BOB, back=f"Return-Path: <{theirs[BOB]}>\nMessage-ID: {theirs['message_id']}"
    ),
    "their envelope id": lambda theirs, ours: dsn(BOB, back=f"envid{theirs['base']}"),
}


@pytest.mark.parametrize("name", BETWEEN_ACCOUNTS)
def test_the_return_path_of_one_account_says_nothing_of_another(desk: Desk, name: str) -> None:
    theirs = desk.mint("m1")
    ours = of_other(desk)
    desk.take(BETWEEN_ACCOUNTS[name](theirs, ours), ours[ANN])
    assert by_account(desk) == []
    assert desk.hard() == set()


def test_a_genuine_one_suppresses_for_its_own_account_alone(desk: Desk) -> None:
    desk.mint("m1")
    desk.take(dsn(ANN), of_other(desk)[ANN])
    assert by_account(desk) == [("other", ANN)]


def of_other(desk: Desk) -> Minted:
    """Return paths by recipient, of another account's message; it was sent to Ann alone."""
    rows = minting.mint(desk.settings, minting.Request((ANN,), "<o@other.example>", account="other"))
    return {row["recipient"]: row["return_path"] for row in rows}


def by_account(desk: Desk) -> list[tuple[str, str]]:
    with desk.database.reader() as connection:
        return [(each["account"], each["address"]) for each in suppressions.listing(connection)]


class TestRepeats:
    def test_one_soft_report_five_times_is_one(self, desk: Desk) -> None:
        minted = desk.mint("m1")
        full = dsn(ANN, status="4.2.2").replace(b"550 4.2.2", b"452 4.2.2").replace(b"User unknown", b"Mailbox is full")
        keys = [desk.take(full, minted[ANN]) for _ in range(5)]
        assert [desk.capture(key)["trust"] for key in keys] == ["proven"] + ["plausible"] * 4
        assert (desk.suppressed(), desk.touched("soft"), desk.touched()) == ([], {ANN}, {ANN})
        assert told(desk) == ["bounce.soft"]

    def test_one_hard_report_five_times_is_one(self, desk: Desk) -> None:
        minted = desk.mint("m1")
        for _ in range(5):
            desk.take(dsn(ANN), minted[ANN])
        assert desk.suppressed() == [ANN]
        assert sorted(told(desk)) == ["bounce.hard", "suppression.added"]

    def test_five_soft_ones_that_differ_are_no_hard_one(self, desk: Desk) -> None:
        minted = desk.mint("m1")
        for status in ("4.2.2", "4.3.1", "4.4.1", "4.4.7", "4.7.1"):
            desk.take(
                dsn(ANN, status=status).replace(b"550 4", b"450 4").replace(b"User unknown", b"Later"), minted[ANN]
            )
        assert (desk.suppressed(), desk.touched("soft"), desk.touched()) == ([], {ANN}, {ANN})


def told(desk: Desk) -> list[str]:
    with desk.database.reader() as connection:
        return [str(each["type"]) for each in events.after(connection, None, 0, 100).events]


def include_each_other(zone: Zone) -> bytes:
    for place in range(40):
        zone.txt(f"s{place}.evil.example", f"v=spf1 include:s{place + 1}.evil.example include:s0.evil.example -all")
    return b""


def void_lookups(zone: Zone) -> bytes:
    zone.txt("s0.evil.example", "v=spf1 " + " ".join(f"a:v{place}.evil.example" for place in range(20)) + " -all")
    return b""


def signatures(zone: Zone) -> bytes:
    return b"".join(
        b"DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; s=k%d; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3"
        b"hSuFU=; b=AAAA\r\n" % number
        for number in range(100)
    )


COSTS = {
    "SPF records that include each other": (include_each_other, 30),
    "SPF with twenty names that are not there": (void_lookups, 12),
    "a hundred DKIM signatures": (signatures, 16),
}


@pytest.mark.parametrize("name", COSTS)
def test_what_a_mail_can_cost_in_dns(desk: Desk, zone: Zone, name: str) -> None:
    make, most = COSTS[name]
    minted = desk.mint("m1")
    raw = make(zone) + dsn(ANN, head="From: MAILER-DAEMON@evil.example")
    desk.take(raw, minted[ANN], helo="s0.evil.example")
    asked = [query for query in zone.queries if query[0].endswith("evil.example")]
    assert 1 < len(asked) <= most, asked


ASKING = {
    "a sender": b"From: eve@evil.example\r\nSubject: Hello\r\n\r\nAnswer me.\r\n",
    "a request for a receipt": (
        b"From: eve@evil.example\r\nDisposition-Notification-To: eve@evil.example\r\n"
        b"Return-Receipt-To: eve@evil.example\r\nErrors-To: eve@evil.example\r\nSubject: Hello\r\n\r\nConfirm.\r\n"
    ),
    "a challenge": (
        b"From: eve@evil.example\r\nSubject: Please confirm your message\r\n\r\nReply to this mail, or open"
        b" http://127.0.0.1/confirm, and your message will be delivered.\r\n"
    ),
    "a list": (
        b"From: eve@evil.example\r\nList-Unsubscribe: <http://127.0.0.1/u>, <mailto:eve@evil.example>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nSubject: News\r\n\r\n<img src=http://127.0.0.1/p.png>\r\n"
    ),
    "an external body": (
        b"From: eve@evil.example\r\nMIME-Version: 1.0\r\nContent-Type: message/external-body; access-type=URL;"
        b' URL="http://127.0.0.1/x"\r\n\r\nContent-Type: text/plain\r\n\r\n'
    ),
    "a report of nobody": dsn("nobody@evil.example", head="From: MAILER-DAEMON@evil.example"),
}


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("reverse_path", ["", "eve@evil.example"])
def test_no_mail_makes_us_connect_to_anybody(
    desk: Desk, zone: Zone, reached: list[Any], name: str, reverse_path: str
) -> None:
    zone.add("evil.example. 60 IN MX 10 evil.example.\nevil.example. 60 IN A 127.0.0.1")
    for to in (desk.mint("m1")[ANN], "bounces@rp.example", "nobody@rp.example"):
        desk.take(ASKING[name], to, reverse_path=reverse_path, helo="evil.example")
    assert reached == []
    with socket.create_connection(("127.0.0.1", zone.port)):
        assert reached == [("127.0.0.1", zone.port)]
