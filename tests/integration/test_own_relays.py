"""Reports that our own MTA wrote, and those that it only passed on: who knows a Message-ID may try both."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.integration.database_fixture import migrated
from tests.integration.desk_fixture import ANN, BOB, Desk
from tests.integration.test_forged import naming

DATE = "Sun, 22 Nov 2026 01:59:59 +0000 (UTC)"
OURS = f"Received: from x ([192.0.2.90])\r\n\tby rp.example (bouncemx) with ESMTP;\r\n\t{DATE}\r\n".encode()
BY_SENDMAIL = f"by out.s.example (8.17.1.9/8.17.1.9) id 6ALIPfgh000389; {DATE}"
WROTE = {
    "Postfix": f"by out.s.example (Postfix)\n\tid 4BCD2F0; {DATE}",
    "Exim": f"from Debian-exim by out.s.example with local (Exim 4.96)\n\tid 1tE-0-AB\n\tfor b@rp.example;\n\t{DATE}",
    "sendmail": f"from localhost (localhost)\n\t{BY_SENDMAIL}",
}
PASSED_ON = {
    "relayed by Postfix": "from out.s.example (evil.example [203.0.113.9])\n"
    f"\tby out.s.example (Postfix) with ESMTP id 4BCD2F0; {DATE}",
    "relayed by Exim": "from [203.0.113.9] (helo=localhost)\n"
    f"\tby out.s.example with esmtp (Exim 4.96) id 1tE-0-AB; {DATE}",
    "relayed by sendmail": f"from localhost ([203.0.113.9])\n\t{BY_SENDMAIL}",
    "a user of its host, Postfix": f"by out.s.example (Postfix, from userid 1000)\n\tid 4BCD2F0; {DATE}",
    "a user of its host, Exim": f"from eve by out.s.example with local (Exim 4.96) id 1tE-0-AB; {DATE}",
    "a user of its host, sendmail": f"(from eve@localhost)\n\t{BY_SENDMAIL.replace(') id', '/Submit) id')}",
    "another host wrote it": f"by mx.evil.example (Postfix) id 4BCD2F0; {DATE}",
}
NOTHING = {"trust": "plausible", "own": False, "suppressed": []}


def take(folder: Path, trace: Sequence[str], stated: Sequence[str] = (BOB,), **how: Any) -> dict[str, Any]:
    """What comes of a DSN with a Message-ID, from an own relay with this trace behind our own."""
    url = migrated(folder)
    with Database(url, checkpoints=True) as database:
        desk = Desk(folder, database, None, own_relays=("198.51.100.0/28", "2001:db8:1::/64"))
        minted = desk.mint("m1")
        head = "".join(f"Received: {field}\n" for field in trace) + "From: MAILER-DAEMON@out.s.example"
        raw = naming(minted, *stated, head=head)
        raw = OURS + raw.replace(b"dns; mail.shop.example", how.pop("reporting", b"dns; Out.S.example"))
        capture = desk.capture(
            desk.take(raw, "bounces@rp.example", **{"client": "198.51.100.5", "helo": "out.s.example", **how})
        )
        own = "own_relay" in capture["trust_reasons"]
        return {"trust": capture["trust"], "own": own, "suppressed": desk.suppressed()}


@pytest.mark.parametrize("name", WROTE)
def test_what_it_wrote_counts(tmp_path: Path, name: str) -> None:
    assert take(tmp_path, [WROTE[name]]) == {"trust": "proven", "own": True, "suppressed": [BOB]}


def test_it_counts_over_ipv6_and_for_several_recipients(tmp_path: Path) -> None:
    found = take(tmp_path, [WROTE["Postfix"]], (BOB, ANN), client="2001:db8:1::5")
    assert found == {"trust": "proven", "own": True, "suppressed": [ANN, BOB]}


@pytest.mark.parametrize("name", PASSED_ON)
@pytest.mark.parametrize("forged", [(), (WROTE["Postfix"],)], ids=["alone", "before a forged one"])
def test_what_it_passed_on_proves_nothing(tmp_path: Path, name: str, forged: tuple[str, ...]) -> None:
    assert take(tmp_path, [PASSED_ON[name], *forged]) == NOTHING


@pytest.mark.parametrize(
    "how",
    [
        {"client": "198.51.100.16"},
        {"client": "2001:db8:2::5"},
        {"client": "unknown"},
        {"reverse_path": "MAILER-DAEMON@out.s.example"},
        {"helo": "other.s.example"},
        {"reporting": b"dns; mail.shop.example"},
        {"reporting": b"dns; evil.out.s.example"},
    ],
    ids=["another client", "another network", "no address", "a sender", "HELO", "Reporting-MTA", "a longer name"],
)
def test_all_of_it_must_fit(tmp_path: Path, how: dict[str, Any]) -> None:
    assert take(tmp_path, [WROTE["Postfix"]], **how) == NOTHING


@pytest.mark.parametrize("trace", [[], [WROTE["Postfix"]] * 2], ids=["none", "two"])
def test_one_field_of_its_own_and_no_more(tmp_path: Path, trace: list[str]) -> None:
    assert take(tmp_path, trace) == NOTHING


def test_only_for_whom_the_message_was_sent_to(tmp_path: Path) -> None:
    assert take(tmp_path, [WROTE["Postfix"]], ("eve@shop.example",))["suppressed"] == []


def test_nobody_is_named_by_default(tmp_path: Path) -> None:
    with Database(migrated(tmp_path), checkpoints=True) as database:
        assert Desk(tmp_path, database, None).settings.own_relays == ()
