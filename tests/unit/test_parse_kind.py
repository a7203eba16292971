"""The order of decisions: one mail a rule, and its nearest neighbour that must go the other way."""

import pytest

from handlers.parse import parse
from handlers.words import Kind

PERSON = "Jo <jo@dest.example>"
DAEMON = "Mail Delivery System <MAILER-DAEMON@mx.dest.example>"


def kind(subject: str, text: str, sender: str = PERSON, path: str | None = "jo@dest.example", **fields: str) -> Kind:
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    raw = (
        f"From: {sender}\r\nTo: b+1@rp.sender.example\r\nSubject: {subject}\r\n{head}Content-Type: "
        f"text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
    return parse(raw.encode(), path).kind


FAILED = "Your message to <ann@dest.example> could not be delivered: 550 5.1.1 no such user"


@pytest.mark.parametrize(
    ("expected", "subject", "text", "sender", "path"),
    [
        (Kind.FAILURE, "failure notice", FAILED, DAEMON, ""),
        (
            Kind.FAILURE,
            "failure notice",
            FAILED,
            DAEMON,
            "postmaster@dest.example",
        ),  # not every notice has the null path
        (Kind.FAILURE, "Undeliverable: Hello", FAILED, "postmaster@dest.example", ""),
        (Kind.OTHER, "Re: the report", "All parcels were delivered.", PERSON, "jo@dest.example"),
        (Kind.OTHER, "Fwd: failure notice", FAILED, PERSON, "jo@dest.example"),
        (Kind.FAILURE, "Fwd: failure notice", FAILED, DAEMON, ""),  # a daemon that passes one on
        (
            Kind.DELAY,
            "Delayed mail (still being retried)",
            "Your message to <ann@dest.example> has been delayed.",
            DAEMON,
            "",
        ),
        (
            Kind.FAILURE,
            "failure notice",
            "After a delay it has been rejected: <ann@dest.example> 550 5.7.1 no",
            DAEMON,
            "",
        ),
        (Kind.AUTO_REPLY, "Automatic reply: Hello", "I am away.", PERSON, ""),
        (Kind.AUTO_REPLY, "Hello", "I am out of the office until Monday.", PERSON, ""),
        (
            Kind.OTHER,
            "Hello",
            "Thank you for your message. The blue one, please, and two of the red ones.",
            PERSON,
            "jo@dest.example",
        ),
        (
            Kind.FAILURE,
            "Jo is no longer with us",
            "Jo left the company. Your message to <jo@dest.example> was not delivered.",
            "Mail Server <mdaemon@dest.example>",
            "",
        ),
        (
            Kind.HELD_NOTICE,
            "Your message awaits moderator approval",
            "It is being held.",
            "talk-bounces@lists.example",
            "talk-bounces@lists.example",
        ),
        (Kind.FAILURE, "Undeliverable: Your message awaits moderator approval", FAILED, DAEMON, ""),
        (
            Kind.CHALLENGE,
            "Please confirm your message",
            "Click https://gate.example/1 to confirm that you sent it, then it will be delivered.",
            PERSON,
            "",
        ),
        (
            Kind.OTHER,
            "Your mailbox",
            "Your mailbox is almost full. Log in within 24 hours: https://evil.example/x",
            "Mail Administrator <a@evil.example>",
            "",
        ),
        (
            Kind.FAILURE,
            "failure notice",
            "<ann@dest.example>: 552 5.2.2 your mailbox quota exceeded, log in at https://help.example/full",
            DAEMON,
            "",
        ),
        (
            Kind.COMPLAINT,
            "Abuse complaint about 192.0.2.1",
            "Stop mailing our user.",
            "Abuse <abuse@isp.example>",
            "abuse@isp.example",
        ),
        (Kind.MDN, "Read: Hello", "Your message was read.", PERSON, "jo@dest.example"),
        (Kind.MDN, "Gelesen: Hallo", "", PERSON, "jo@dest.example"),
        (
            Kind.REPORT,
            "Postfix log summary for Nov 1",
            "12 bounced: 550 5.1.1 <ann@dest.example> User unknown",
            "root@relay.example",
            "root@relay.example",
        ),
        (Kind.OTHER, "", "", PERSON, "jo@dest.example"),
    ],
)
def test_kind(expected: Kind, subject: str, text: str, sender: str, path: str) -> None:
    assert kind(subject, text, sender, path) is expected


def test_a_null_path_alone_makes_no_bounce() -> None:
    assert kind("Lunch?", "See you at noon.", path="") is Kind.OTHER


def test_a_failure_that_somebody_quotes_is_not_his() -> None:
    quoted = "Is this yours?\r\n\r\n> <ann@dest.example>: 550 5.1.1 user unknown\r\n> could not be delivered"
    assert kind("Re: failure notice", quoted, In_Reply_To="<x@sender.example>") is Kind.OTHER


def test_newsletters_are_other_whatever_they_say() -> None:
    assert kind("Mail that could not be delivered", FAILED, List_Unsubscribe="<https://list.example/u>") is Kind.OTHER


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Auto-Submitted", "auto-replied", Kind.AUTO_REPLY),
        ("Auto-Submitted", "no", Kind.OTHER),
        ("X-Autoreply", "yes", Kind.AUTO_REPLY),
        ("Precedence", "auto_reply", Kind.AUTO_REPLY),
        ("Precedence", "bulk", Kind.OTHER),
        ("X-Auto-Response-Suppress", "All", Kind.AUTO_REPLY),
        ("X-Zendesk-Email-Id", "1", Kind.AUTO_REPLY),
        ("X-TMDA-Fingerprint", "tmda", Kind.CHALLENGE),
    ],
)
def test_fields_of_responders(name: str, value: str, expected: Kind) -> None:
    assert kind("Hello", "Text that says nothing.", **{name: value}) is expected


def test_software_that_answers_nothing_is_no_auto_reply() -> None:
    assert kind("Backup finished", "All disks are fine.", Auto_Submitted="auto-generated") is Kind.OTHER
    assert kind("Re: Hello", "Ok.", Auto_Submitted="auto-generated") is Kind.AUTO_REPLY
    assert kind("Hello", "Ok.", path="", Auto_Submitted="auto-generated") is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    ("href", "expected"),
    [(' href="https://mail.example/login"', Kind.OTHER), ("", Kind.FAILURE)],
)
def test_a_link_may_hide_under_its_words(href: str, expected: Kind) -> None:
    raw = (
        "From: Postmaster <postmaster@dest.example>\r\nSubject: Undelivered messages\r\nContent-Type: text/html\r\n\r\n"
        f"<p>Messages could not be delivered since your mailbox is full. <a{href}>Log in</a> within 24 hours.</p>"
    )
    assert parse(raw.encode(), "x@dest.example").kind is expected


@pytest.mark.parametrize(("subject", "expected"), [("DMARC overview", Kind.REPORT), ("Photos", Kind.OTHER)])
def test_a_dmarc_aggregate_whose_file_is_named_freely(subject: str, expected: Kind) -> None:
    assert part("application/gzip; name=r.xml.gz", "H4sI", subject) is expected


def test_what_is_held_may_be_called_blocked_if_somebody_can_release_it() -> None:
    held = "Your message was quarantined. "
    assert kind("Message blocked", held + "An administrator can release it.", DAEMON, "") is Kind.HELD_NOTICE
    assert kind("Message blocked", held + "It will not be delivered.", DAEMON, "") is Kind.FAILURE


def test_a_desk_that_brings_the_mail_back_complains_in_its_text() -> None:
    said = "This message has been reported as spam by the recipient."
    for desk, expected in (("fbl@isp.example", Kind.COMPLAINT), ("jo@isp.example", Kind.OTHER)):
        raw = (
            f"From: {desk}\r\nSubject: Your invoice\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            f"--b\r\n\r\n{said}\r\n"
            "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Your invoice\r\n\r\nHello\r\n--b--\r\n"
        )
        assert parse(raw.encode(), desk).kind is expected


def test_an_office_that_names_nobody_means_no_mail() -> None:
    said = "could not be delivered."
    assert kind("Delivery failed", f"Your fax {said}", "noreply@dest.example") is Kind.OTHER
    assert kind("Delivery failed", f"Your mail to <ann@dest.example> {said}", "noreply@dest.example") is Kind.FAILURE


def test_a_responder_in_unknown_words_is_no_bounce() -> None:
    said = "Xyzzy plugh does not exist, bob@dest.example."
    assert kind("Plugh: Hello", said, path="", Auto_Submitted="auto-replied") is Kind.AUTO_REPLY
    assert kind("Plugh: Hello", said, DAEMON, "", Auto_Submitted="auto-replied") is Kind.FAILURE
    assert kind("Undeliverable: Hello", said, path="", Auto_Submitted="auto-replied") is Kind.FAILURE


def test_who_asks_answers_himself() -> None:
    moved = "Did you get my new address?"
    assert kind("Re: Hello", moved, In_Reply_To="<x@sender.example>") is Kind.OTHER
    assert kind("Re: Hello", moved[:-1] + ".", In_Reply_To="<x@sender.example>") is Kind.AUTO_REPLY


def test_a_field_of_exim_makes_a_bounce_in_any_language() -> None:
    assert kind("Re: Hello", "Nieznane slowa.", path="", X_Failed_Recipients="jo@dest.example") is Kind.FAILURE
    assert kind("Re: Hello", "Nieznane slowa.", X_Failed_Recipients="jo@dest.example") is Kind.OTHER


def test_a_bounce_with_auto_submitted_is_a_bounce() -> None:
    assert kind("failure notice", FAILED, DAEMON, "", Auto_Submitted="auto-replied") is Kind.FAILURE


def part(ctype: str, body: str, subject: str = "x", report: str = "") -> Kind:
    raw = (
        f"From: {PERSON}\r\nSubject: {subject}\r\nContent-Type: multipart/report; report-type={report}; "
        "boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n--b\r\nContent-Type: {ctype}\r\n\r\n{body}\r\n--b--\r\n"
    )
    return parse(raw.encode(), "jo@dest.example").kind


@pytest.mark.parametrize(
    ("ctype", "body", "expected"),
    [
        ("message/feedback-report", "Feedback-Type: abuse", Kind.COMPLAINT),
        ("message/feedback-report", "Feedback-Type: auth-failure", Kind.REPORT),
        ("message/feedback-report", "Feedback-Type: not-spam", Kind.REPORT),
        ("message/feedback-report", "nonsense", Kind.COMPLAINT),
        ("message/disposition-notification", "Disposition: manual-action/MDN-sent-manually; displayed", Kind.MDN),
        ("message/disposition-notification", "Disposition: automatic-action/MDN-sent-automatically; deleted", Kind.MDN),
        ("application/tlsrpt+gzip", "x", Kind.REPORT),
        ('application/gzip; name="isp.example!sender.example!1793577600!1793664000.xml.gz"', "x", Kind.REPORT),
        ("text/calendar; method=REPLY", "BEGIN:VCALENDAR", Kind.OTHER),
        ("message/rfc822", "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse", Kind.OTHER),
    ],
)
def test_typed_parts(ctype: str, body: str, expected: Kind) -> None:
    assert part(ctype, body) is expected


def test_a_rejection_in_the_form_of_an_mdn_is_a_failure() -> None:
    body = "Final-Recipient: rfc822; ann@dest.example\r\nDisposition: automatic-action/MDN-sent-automatically; deleted"
    assert part("message/disposition-notification", body, "Automatically rejected mail") is Kind.FAILURE


@pytest.mark.parametrize(
    ("action", "text", "expected"),
    [
        ("failed", "", Kind.FAILURE),
        ("delayed", "It will be retried.", Kind.DELAY),
        ("delayed", "Envelope expired", Kind.FAILURE),
        ("delivered", "", Kind.SUCCESS),
        ("expanded", "", Kind.SUCCESS),
        ("", "It could not be delivered.", Kind.FAILURE),
        ("", "It has been delayed and will be retried.", Kind.DELAY),
    ],
)
def test_actions(action: str, text: str, expected: Kind) -> None:
    raw = (
        f"From: {DAEMON}\r\nSubject: report\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\n{text}\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        f"Final-Recipient: rfc822; ann@dest.example\r\nAction: {action}\r\n--b--\r\n"
    )
    assert parse(raw.encode(), "").kind is expected
