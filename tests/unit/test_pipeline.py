"""The whole way of a mail, with the real parser and classifier and a ledger of plain values."""

from collections.abc import Sequence
from dataclasses import replace
from textwrap import dedent

import pytest

from handlers import ruleset
from handlers.authenticated import Authenticated
from handlers.classify import Classifier
from handlers.envelope import Mail
from handlers.outcome import Outcome
from handlers.pipeline import Ports, conclude, handle, held, read
from handlers.ports import Said, Unreadable
from handlers.words import Detectability, Kind, Profile
from tests.plain_reader import PlainReader
from tests.unit.sent import DOMAIN, OURS, TOKENS, PlainLedger, envelope, message, sent, token

MESSAGE = message()
ANN, BOB = sent(1, "ann@x.example", MESSAGE), sent(2, "bob@x.example", MESSAGE)


RULES = Classifier(ruleset.load(), Profile.HUBSPOT)


class DyingReader(PlainReader):
    def one(self, mail: Mail) -> Said | Unreadable:
        return Unreadable("reading it took longer than 10 seconds")


PORTS = Ports(
    authenticate=lambda mails: [Authenticated(mail.raw, {"spf": "pass", "dkim": "none"}) for mail in mails],
    reader=PlainReader(RULES),
    tokens=TOKENS,
)


def dsn(recipient: str, message_id: str = "<m1@sender.example>", action: str = "failed", status: str = "5.1.1") -> str:
    return f"""\
        From: Mail Delivery System <mailer-daemon@mx.example>
        Subject: Delivery status
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="b"

        --b
        Content-Type: text/plain

        This is what became of your message.

        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example

        Final-Recipient: rfc822; {recipient}
        Action: {action}
        Status: {status}
        Diagnostic-Code: smtp; 550 {status} <{recipient}>: Recipient address rejected: User unknown

        --b
        Content-Type: text/rfc822-headers

        Message-ID: {message_id}
        Subject: News

        --b--
        """


def mail(text: str, *forward_paths: str, reverse_path: str = "") -> Mail:
    raw = dedent(text).replace("\n", "\r\n").encode()
    return Mail(4096, envelope(*forward_paths, reverse_path=reverse_path), raw)


def handled(text: str, *forward_paths: str, reverse_path: str = "", ports: Ports = PORTS) -> Outcome:
    return handle(mail(text, *forward_paths, reverse_path=reverse_path), ports, PlainLedger([ANN, BOB]))


def test_a_failure_at_a_return_path() -> None:
    found = handled(dsn("ann@x.example"), f"{ANN.token}@{DOMAIN}")
    assert (found.report.kind, found.detectability, found.notice_form) == ("failure", "matched", "dsn")
    assert (found.delivery, found.account, found.held) == (ANN, OURS, None)
    assert found.authentication == {"spf": "pass", "dkim": "none"}
    assert [(each.method, each.state) for each in found.links] == [("token", "valid"), ("message_id", "valid")]
    assert [(each.address, each.verdict.reason) for each in found.bounces] == [("ann@x.example", "user_unknown")]
    assert [(each.address, each.type, each.account) for each in found.suppressions] == [("ann@x.example", "hard", OURS)]
    assert (found.trust, found.trust_reasons) == ("proven", ("token", "fields"))
    assert found.mail.raw.startswith(b"From: Mail Delivery System")


def test_a_failure_at_the_base_return_path_is_matched_by_its_message_id() -> None:
    found = handled(dsn("bob@x.example"))
    assert (found.delivery, found.detectability) == (BOB, "matched")
    assert (found.trust, found.trust_reasons) == ("plausible", ("message_id", "fields"))
    assert [(each.address, each.proven) for each in found.bounces] == [("bob@x.example", False)]
    assert found.suppressions == ()


def test_another_recipient_than_the_tokens_has_no_effect() -> None:
    found = handled(dsn("bob@x.example"), f"{ANN.token}@{DOMAIN}")
    assert (found.detectability, found.delivery) == ("matched", ANN)
    assert (found.bounces, found.suppressions) == ((), ())


@pytest.mark.parametrize(
    ("action", "status", "kind", "bounced"),
    [("delayed", "4.4.1", "delay", 1), ("delivered", "2.1.5", "success", 0), ("relayed", "2.0.0", "success", 0)],
)
def test_what_has_not_failed_suppresses_nobody(action: str, status: str, kind: str, bounced: int) -> None:
    found = handled(dsn("ann@x.example", action=action, status=status), f"{ANN.token}@{DOMAIN}")
    assert (found.report.kind, found.delivery) == (kind, ANN)
    assert found.detectability == ("not_a_bounce" if kind == "success" else "matched")
    assert (len(found.bounces), found.suppressions) == (bounced, ())


def test_backscatter_names_a_message_that_is_not_ours() -> None:
    found = handled(dsn("ann@x.example", "<other@elsewhere.example>"))
    assert (found.detectability, found.delivery, found.account) == ("unmatched", None, None)
    assert (found.bounces, found.suppressions) == ((), ())
    assert found.verdicts[0].reason == "user_unknown"


DETACHED = """\
    From: Postmaster <postmaster@gateway.example>
    Subject: Undeliverable mail
    Auto-Submitted: auto-generated

    Your message to ann@x.example could not be delivered:

    550 5.1.1 User unknown
    """


def test_a_detached_notice_is_flagged() -> None:
    found = handled(DETACHED)
    assert (found.detectability, found.undetectable_reason, found.notice_form) == (
        "undetectable",
        "recipient_only",
        "separate",
    )
    assert (found.bounces, found.suppressions, found.links) == ((), (), ())


def test_a_separate_notice_at_a_return_path_is_matched_or_flagged() -> None:
    path = f"{ANN.token}@{DOMAIN}"
    assert handled(DETACHED, path).detectability == "matched"
    flagged = handled(DETACHED, path, ports=replace(PORTS, flag_separate=True))
    assert (flagged.detectability, flagged.undetectable_reason) == ("undetectable", "recipient_only")
    assert (flagged.bounces, flagged.suppressions) == ((), ())
    assert flagged.links[0].state == "valid"


def test_an_automatic_reply_is_no_bounce() -> None:
    text = """\
        From: Ann <ann@x.example>
        Subject: Out of office: News
        Auto-Submitted: auto-replied
        In-Reply-To: <m1@sender.example>

        I am away and back on Monday. ann@x.example no longer works here.
        """
    found = handled(text, f"{ANN.token}@{DOMAIN}")
    assert (found.report.kind, found.detectability, found.notice_form) == ("auto_reply", "not_a_bounce", None)
    assert (found.bounces, found.suppressions) == ((), ())


def test_a_token_minted_offline() -> None:
    found = handled(dsn("new@x.example", "<unknown@sender.example>"), f"{token('new@x.example')}@{DOMAIN}")
    assert (found.detectability, found.delivery, found.account) == ("matched", None, OURS)
    assert [(each.address, each.delivery) for each in found.bounces] == [("new@x.example", None)]
    assert [each.address for each in found.suppressions] == ["new@x.example"]


@pytest.mark.parametrize("raw", [b"", b"\x00", b"\r\n", b"\xff\xfe" * 100, b"Content-Type: multipart/report\r\n\r\n--"])
def test_broken_mail_is_a_value(raw: bytes) -> None:
    found = handle(replace(mail(""), raw=raw), PORTS, PlainLedger([ANN]))
    assert (found.mail.raw, found.bounces, found.held) == (raw, (), None)


def test_a_mail_that_brings_the_reader_down_is_held_whole() -> None:
    found = handled("Subject: bomb\n\nboom\n", f"{ANN.token}@{DOMAIN}", ports=replace(PORTS, reader=DyingReader(RULES)))
    assert (found.held, found.report.kind) == ("reading it took longer than 10 seconds", Kind.OTHER)
    assert (found.detectability, found.verdicts, found.links) == (Detectability.NOT_A_BOUNCE, (), ())
    assert found.mail.raw == b"Subject: bomb\r\n\r\nboom\r\n"
    assert found.report.faults == (found.held,)


def test_a_fault_of_ours_is_raised() -> None:
    def broken(mails: Sequence[Mail]) -> list[Authenticated]:
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        handled("", ports=replace(PORTS, authenticate=broken))


def test_reading_knows_no_ledger_and_what_is_held_passes_through() -> None:
    asked = PlainLedger([ANN])
    [reading] = read([mail(dsn("ann@x.example"), f"{ANN.token}@{DOMAIN}")], PORTS)
    assert asked.asked == 0
    assert conclude(reading, PORTS, asked).delivery == ANN
    assert asked.asked > 0
    outcome = held(mail("Subject: x\n"), "why")
    assert conclude(outcome, PORTS, asked) is outcome


def test_it_needs_the_reverse_path_to_tell_a_notice_from_a_person() -> None:
    """The same words, once with the null reverse path (RFC 5321 4.5.5) and once from somebody's address."""
    seen: list[str] = []

    class Spy(PlainReader):
        def one(self, mail: Mail) -> Said | Unreadable:
            seen.append(mail.envelope.reverse_path)
            return super().one(mail)

    ports = replace(PORTS, reader=Spy(RULES))
    handled(DETACHED, ports=ports)
    handled(DETACHED, reverse_path="eve@x.example", ports=ports)
    assert seen == ["", "eve@x.example"]
