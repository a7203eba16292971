"""The table of reasons: what each is worth, alone and beside others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import trust
from handlers.authenticated import Authenticated
from handlers.client import public_address
from handlers.daemons import is_daemon
from handlers.trust import PARTS, Part, of_sender
from handlers.words import Kind, Trust, TrustReason
from tests.unit.sent import envelope, failed, report

REASONS = st.sets(st.sampled_from(list(TrustReason)))
PROOF = {TrustReason.TOKEN, TrustReason.FIELDS}


def judge(reasons: set[TrustReason]) -> Trust:
    return trust.judge(tuple(reasons))


def of(part: Part) -> list[TrustReason]:
    return [reason for reason, its in PARTS.items() if its is part]


def test_every_reason_has_a_part() -> None:
    assert set(PARTS) == set(TrustReason)
    assert set(PARTS.values()) == set(Part)


@given(REASONS)
def test_proven_takes_a_proof_and_a_statement_and_no_doubt(reasons: set[TrustReason]) -> None:
    parts = {PARTS[reason] for reason in reasons}
    wanted = {Part.PROVES, Part.STATES} <= parts and not parts & {Part.DOUBTS, Part.DENIES}
    assert (judge(reasons) is Trust.PROVEN) == wanted


@given(REASONS, st.sampled_from(of(Part.DENIES)))
def test_what_denies_outweighs_everything(reasons: set[TrustReason], denial: TrustReason) -> None:
    assert judge({*reasons, denial}) is Trust.SUSPECT


@pytest.mark.parametrize("doubt", of(Part.DOUBTS))
def test_what_doubts_keeps_it_from_being_proven(doubt: TrustReason) -> None:
    assert (judge(PROOF), judge({*PROOF, doubt})) == (Trust.PROVEN, Trust.PLAUSIBLE)


def test_a_failed_dmarc_weighs_only_where_nothing_proves() -> None:
    named = {TrustReason.MESSAGE_ID, TrustReason.FIELDS}
    assert judge({*PROOF, TrustReason.DMARC_FAIL}) is Trust.PROVEN
    assert (judge(named), judge({*named, TrustReason.DMARC_FAIL})) == (Trust.PLAUSIBLE, Trust.SUSPECT)


@pytest.mark.parametrize(
    ("helo", "author", "signers", "speaks"),
    [
        ("x.example", "", (), True),
        ("mail.x.example", "", (), True),
        ("mailx.example", "", (), False),
        ("example", "", (), False),
        ("", "postmaster@x.example", ("x.example",), True),
        ("", "mailer-daemon@mail.x.example", ("x.example",), True),
        ("", "postmaster@x.example", ("other.example",), False),
        ("", "postmaster@other.example", ("other.example",), False),
        ("", "ann@x.example", ("x.example",), False),
        ("", "", ("x.example",), False),
        ("", "postmaster@x.example", (), False),
    ],
)
def test_who_speaks_for_a_domain(helo: str, author: str, signers: tuple[str, ...], speaks: bool) -> None:
    found = Authenticated(b"", {}, helo, signers, author)
    reasons = of_sender(envelope(), report(failed("ann@x.example")), found)
    assert reasons == ([TrustReason.RECIPIENT_DOMAIN] if speaks else [])


@pytest.mark.parametrize("kind", [Kind.AUTO_REPLY, Kind.OTHER, Kind.COMPLAINT])
def test_nothing_is_said_of_what_reports_on_no_delivery(kind: Kind) -> None:
    found = Authenticated(b"", {"spf": "fail", "dmarc": "fail"})
    assert of_sender(envelope(), report(kind=kind), found) == []


@pytest.mark.parametrize(
    ("from_", "daemon"),
    [
        ("Mail Delivery System <MAILER-DAEMON@x.example>", True),
        ("postmaster@x.example", True),
        ("Ann Post <ann@x.example>", False),
        ("", False),
        ("a" * 400 + " postmaster@x.example", False),
    ],
)
def test_the_names_of_mail_servers(from_: str, daemon: bool) -> None:
    assert is_daemon(from_) == daemon


@pytest.mark.parametrize("client", ["127.0.0.1", "10.1.2.3", "::1", "fe80::1%eth0", "::ffff:192.168.1.1", "", "x"])
def test_no_record_names_a_client_of_our_own(client: str) -> None:
    assert public_address(client) is None
