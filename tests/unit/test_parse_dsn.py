import pytest

from handlers.parse import dsn, parse
from handlers.words import Action, Kind, NoticeForm


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("rfc822; jo@dest.example", "jo@dest.example"),
        ("RFC822;<jo@dest.example>", "jo@dest.example"),
        ("rfc/822;jo@dest.example", "jo@dest.example"),
        ("rfc822; rfc822;jo@dest.example", "jo@dest.example"),
        ("jo@dest.example", "jo@dest.example"),
        ("rfc822;jo@dest.example (Jo Smith)", "jo@dest.example"),
        ("rfc822;Jo.Smith@Dest.Example", "Jo.Smith@Dest.Example"),  # case is kept
        ("rfc822;jo+2Btag@dest.example", "jo+tag@dest.example"),  # RFC 3461 4 xtext
        ("rfc822;jo+tag@dest.example", "jo+tag@dest.example"),
        ("utf-8; j\\x{F6}rg@dest.example", "jörg@dest.example"),  # RFC 6533 3
        ("utf-8; \\x{1F431}@dest.example", "\U0001f431@dest.example"),
        ("rfc822; @dest.example", None),
        ("rfc822;", None),
        ("", None),
        ("rfc822; user", "user"),  # local, no domain
    ],
)
def test_address(value: str, address: str | None) -> None:
    assert dsn.address(value) == address


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("dns; mx.dest.example", "mx.dest.example"),
        ("mx.dest.example", "mx.dest.example"),
        ("dns;mx.dest.example (TCP|192.0.2.1|4711|192.0.2.9|25) (Mail ESMTP (ready))", "mx.dest.example"),
        ("dns; mx.dest.example. (192.0.2.9, the server for the domain dest.example.)", "mx.dest.example"),
        ("dns; mx.dest.example [192.0.2.9]", "mx.dest.example"),
        ("dns; mx.dest.example:25", "mx.dest.example"),
        ("dns; [192.0.2.9]", "[192.0.2.9]"),
        ("dns; 2001:db8::9", "2001:db8::9"),
        ("dns;", None),
        ("", None),
    ],
)
def test_the_name_of_an_mta(value: str, name: str | None) -> None:
    assert dsn.host(value) == name


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("smtp; 550 no", "smtp", "550 no"),
        ("X-Postfix; host mx said: 550 no", "x-postfix", "host mx said: 550 no"),
        ("550 5.1.1 no; really", None, "550 5.1.1 no; really"),
        ("smtp;550 one\x1e    two\x1e\tthree", "smtp", "550 one two three"),
        ("smtp; 550 Empf\\303\\244nger", "smtp", "550 Empfänger"),  # Exim's octal escapes
        ("smtp; 550 C:\\temp", "smtp", "550 C:\\temp"),
        ("X-Notes; User jo (jo@dest.exa\x1e mple) not listed", "x-notes", "User jo (jo@dest.example) not listed"),
        ("", None, ""),
    ],
)
def test_diagnostic_code(value: str, kind: str | None, text: str) -> None:
    assert dsn.diagnostic_code(value) == (kind, text)


@pytest.mark.parametrize(
    ("value", "action"),
    [
        ("failed", Action.FAILED),
        ("Failed (permanent)", Action.FAILED),
        ("DELAYED", Action.DELAYED),
        ("delivered; to mailbox", Action.DELIVERED),
        ("expanded", Action.EXPANDED),
        ("exploded", None),
        ("", None),
    ],
)
def test_action(value: str, action: Action | None) -> None:
    assert dsn.action(value) == action


def test_groups_without_empty_lines_between() -> None:
    message, groups = dsn.groups_of(
        "Reporting-MTA: dns; mx\nFinal-Recipient: rfc822; a@b\nAction: failed\nFinal-Recipient: "
        "rfc822; c@d\nAction: delayed"
    )
    assert message["reporting-mta"] == "dns; mx"
    assert [g["final-recipient"] for g in groups] == ["rfc822; a@b", "rfc822; c@d"]
    assert [g["action"] for g in groups] == ["failed", "delayed"]


def test_a_group_torn_by_an_empty_line_is_one() -> None:
    _, groups = dsn.groups_of("Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; a@b\n\nAction: failed\nStatus: 5.1.1")
    assert groups == [{"final-recipient": "rfc822; a@b", "action": "failed", "status": "5.1.1"}]


def test_a_line_that_is_no_field_continues_the_one_before() -> None:
    _, groups = dsn.groups_of(
        "\nFinal-Recipient: rfc822; a@b\nDiagnostic-Code: smtp; 550 no such\nuser here\nAction: failed"
    )
    assert dsn.diagnostic_code(groups[0]["diagnostic-code"]) == ("smtp", "550 no such user here")
    assert groups[0]["action"] == "failed"


def test_recipients_are_bounded() -> None:
    group = "\nFinal-Recipient: rfc822; a@b\nAction: failed\n"
    assert len(dsn.groups_of(group * 5000)[1]) == dsn.RECIPIENTS


def test_the_words_of_a_field_are_kept_beside_what_follows_from_them() -> None:
    one = dsn.recipient(
        {
            "final-recipient": "rfc822; a@b",
            "action": "failed",
            "status": "5.0.0 (x)",
            "diagnostic-code": "smtp; 550 5.2.1 off",
        }
    )
    assert one is not None
    assert (one.status, one.status_field, one.smtp_code) == ("5.2.1", "5.0.0 (x)", 550)


def test_nobody_is_nobody() -> None:
    assert dsn.recipient({"action": "failed"}) is None


def test_envelope_id_is_xtext_decoded() -> None:
    assert dsn.envelope_id("k4x9+3Dv1+2B") == "k4x9=v1+"
    assert dsn.envelope_id("") is None


def report(text: str, status: str, sender: str = "MAILER-DAEMON@mx.dest.example", subject: str = "failed") -> bytes:
    return (
        f"From: {sender}\r\nSubject: {subject}\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.dest.example\r\n\r\n"
        f"{status}\r\n--b--\r\n"
    ).encode()


def test_where_exim_forwarded_to_stands_in_its_text_only() -> None:
    text = "It failed:\r\n\r\n  Target@far.example\r\n    (generated from jo@dest.example)\r\n    550 5.1.1 no"
    status = "Final-Recipient: rfc822;jo@dest.example\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 5.1.1 no"
    (one,) = parse(report(text, status)).recipients
    assert (one.final_recipient, one.original_recipient) == ("Target@far.example", "jo@dest.example")


def test_the_text_has_the_reply_that_the_fields_lack() -> None:
    text = "It could not be delivered:\r\n\r\n  jo@dest.example\r\n    Unrouteable address"
    (one,) = parse(
        report(text, "Action: failed\r\nFinal-Recipient: rfc822;jo@dest.example\r\nStatus: 5.0.0")
    ).recipients
    assert (one.diagnostic_code, one.diagnostic_type, one.smtp_code) == ("Unrouteable address", None, None)


def test_parts_of_a_report_that_a_person_forwards_are_no_report() -> None:
    status = "Final-Recipient: rfc822;jo@dest.example\r\nAction: failed"
    assert parse(report("See below.", status, "Ann <ann@partner.example>", "Fwd: failed")).kind is Kind.OTHER
    real = parse(report("It failed.", status))
    assert (real.kind, real.notice_form, real.dialect) == (Kind.FAILURE, NoticeForm.DSN, "rfc3464")


def test_the_message_fields() -> None:
    status = "Final-Recipient: rfc822;jo@dest.example\r\nAction: failed"
    raw = report("It failed.", status).replace(
        b"Reporting-MTA: dns; mx.dest.example",
        b"Original-Envelope-Id: k4+3Dx\r\nReporting-MTA: dns; mx.dest.example\r\nDSN-Gateway: dns; gw.example\r\n"
        b"Received-From-MTA: smtp; out.example\r\nArrival-Date: Tue, 3 Nov 2026 10:20:30 +0000",
    )
    found = parse(raw)
    assert found.original_envelope_id == "k4=x"
    assert (found.reporting_mta, found.dsn_gateway, found.received_from_mta) == (
        "mx.dest.example",
        "gw.example",
        "out.example",
    )
    assert found.arrival_date == "Tue, 3 Nov 2026 10:20:30 +0000"


def test_indented_fields_are_fields() -> None:
    _, groups = dsn.groups_of("\nFinal-Recipient: rfc822; a@b\n  Action: failed\n  Status: 5.1.1\n  folded: too")
    assert groups[0]["action"] == "failed"
    assert dsn.text(groups[0]["status"]) == "5.1.1  folded: too"


def test_a_reply_in_the_status_field() -> None:
    one = dsn.recipient({"final-recipient": "rfc822; a@b", "status": "550 5.1.1 User unknown"})
    assert one is not None
    assert (one.status, one.smtp_code) == ("5.1.1", 550)


def test_two_delivery_status_parts_are_read_both() -> None:
    second = "Final-Recipient: rfc822;ann@dest.example\r\nAction: failed"
    raw = report("It failed.", "Final-Recipient: rfc822;jo@dest.example\r\nAction: failed")
    raw = raw.replace(b"--b--", f"--b\r\nContent-Type: message/delivery-status\r\n\r\n{second}\r\n--b--".encode())
    assert [one.final_recipient for one in parse(raw).recipients] == ["jo@dest.example", "ann@dest.example"]


def test_an_original_attached_as_octets() -> None:
    raw = report("It failed.", "Final-Recipient: rfc822;jo@dest.example\r\nAction: failed")
    head = 'Content-Type: application/octet-stream; name="mail.eml"'
    part = f"--b\r\n{head}\r\n\r\nMessage-ID: <o1@sender.example>\r\n\r\n--b--"
    original = parse(raw.replace(b"--b--", part.encode())).original
    assert original is not None
    assert original.message_id == "<o1@sender.example>"


@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [
        ("Envelope expired", "4.4.7", Kind.FAILURE),  # OpenSMTPD's last notice
        ("Envelope expired", "4.2.2", Kind.DELAY),
        ("452 4.2.2 Mailbox full", "4.4.7", Kind.DELAY),
        ("Network error on destination MXs", "4.4.7", Kind.DELAY),
    ],
)
def test_a_delay_whose_time_is_over_is_a_failure(words: str, status: str, kind: Kind) -> None:
    text = (
        f"The message is delayed for more than 4 hours:\r\n\r\njo@dest.example: {words}\r\n\r\nIt is kept in the queue."
    )
    fields = f"Final-Recipient: rfc822;jo@dest.example\r\nAction: delayed\r\nStatus: {status}"
    found = parse(report(text, fields, subject="Delivery status notification: delayed"))
    assert (found.kind, found.recipients[0].diagnostic_code) == (kind, words)
    assert ("action_contradicts_text" in found.faults) is (kind is Kind.FAILURE)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("Returned mail: could not send message", Kind.FAILURE),  # nullmailer's only notice
        ("Returned mail: delivery delayed", Kind.DELAY),
        ("Delivery status", Kind.DELAY),
    ],
)
def test_what_is_returned_is_not_tried_again(subject: str, kind: Kind) -> None:
    fields = "Final-Recipient: rfc822;jo@dest.example\r\nAction: delayed\r\nStatus: 4.2.0"
    text = "The message has not been delivered yet. A final notice follows if it cannot be."
    assert parse(report(text, fields, subject=subject)).kind is kind


def test_fields_that_name_nobody_speak_of_those_in_the_text() -> None:
    text = "Delivery failed for:\r\n- jo@dest.example\r\n- ann@dest.example\r\n\r\nThe host responded:\r\n550 gone"
    fields = "Remote-MTA: dns; mx.dest.example\r\nDiagnostic-Code: smtp; 550 5.1.1 gone"
    found = parse(report(text, fields))
    assert found.notice_form is NoticeForm.DSN
    assert [(one.final_recipient, one.status, one.smtp_code, one.remote_mta) for one in found.recipients] == [
        (f"{name}@dest.example", "5.1.1", 550, "mx.dest.example") for name in ("jo", "ann")
    ]


@pytest.mark.parametrize("transcript", [True, False])
def test_only_sendmails_own_status_is_doubted(transcript: bool) -> None:
    heading = "   ----- Transcript of session follows -----" if transcript else "It failed."
    fields = (
        "Final-Recipient: rfc822;jo@dest.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 blocked by policy"
    )
    (one,) = parse(report(heading, fields)).recipients
    assert (one.status, one.status_field) == ("5.0.0" if transcript else "5.1.1", "5.1.1")
