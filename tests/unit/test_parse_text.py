"""Recipients and words out of texts."""

import pytest

from handlers.parse import mdaemon, original, parse, sendmail
from handlers.report import RecipientStatus
from handlers.words import NoticeForm

HEAD = "From: MAILER-DAEMON@mx.dest.example\r\nTo: b+1@rp.sender.example\r\nSubject: failure notice\r\n"


def recipients(text: str, head: str = HEAD) -> list[RecipientStatus]:
    raw = f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}".replace("\r\n", "\n").replace("\n", "\r\n")
    return list(parse(raw.encode(), "").recipients)


def names(text: str, head: str = HEAD) -> list[str]:
    return [one.final_recipient for one in recipients(text, head)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "Delivery failed:\n\n<jo@dest.example>:\n550 no\n\n<ann@dest.example>:\n550 no\n",
            ["jo@dest.example", "ann@dest.example"],
        ),
        ("Delivery failed:\n\n  * jo@dest.example\n  * ann@dest.example\n", ["jo@dest.example", "ann@dest.example"]),
        (
            "Delivery failed:\n\n<jo@dest.example.br>:\n550 no\n\n<jo@dest.example>:\n550 no\n",
            ["jo@dest.example.br", "jo@dest.example"],  # none is the other one cut off
        ),
        ("Delivery failed:\n\n  jo@dest.example.br\n  jo@dest.example\n", ["jo@dest.example.br", "jo@dest.example"]),
        ("Delivery failed:\n\n  jo@dest.example\n    450 4.2.0 <jo@dest\n", ["jo@dest.example"]),
        ("Delivery failed.\nRecipient: jo@dest.example\nContact: help@dest.example\n", ["jo@dest.example"]),
        (
            "Zustellung fehlgeschlagen.\nEmpfänger: <jo@dest.example>\nAbsender: <x@sender.example>\n",
            ["jo@dest.example"],
        ),
        ("宛先: jo@dest.example\nメールを配信できませんでした。\n", ["jo@dest.example"]),
        (
            "Your message to jo@dest.example could not be delivered. Questions? Write to care@dest.example.",
            ["jo@dest.example"],
        ),
        ("Delivery failed: jo@dest.example. For help, contact <postmaster@dest.example>.\n", ["jo@dest.example"]),
        (
            (
                "A message sent by\n\n  <b+1@rp.sender.example>\n\ncould not be delivered:\n"
                "\n  jo@dest.example\n    all hosts failed\n"
            ),
            ["jo@dest.example"],
        ),
        ("550 5.1.1 <jo@dest.example>... User unknown\n", ["jo@dest.example"]),
        (
            "Rejected:\n\n  jo@shop.example <jo@dest.example>: malformed address\n",
            ["jo@dest.example"],
        ),  # a display name
        ("Delivery failed, nobody is named.\n", []),
    ],
)
def test_which_addresses_failed(text: str, found: list[str]) -> None:
    assert names(text) == found


def test_our_own_address_never_failed() -> None:
    assert names("The message from <b+1@rp.sender.example> could not be delivered.") == []


def test_x_failed_recipients_where_the_text_names_nobody() -> None:
    assert names(
        "It could not be delivered.", HEAD + "X-Failed-Recipients: jo@dest.example,\r\n ann@dest.example\r\n"
    ) == ["jo@dest.example", "ann@dest.example"]


def test_each_recipient_has_its_own_words() -> None:
    jo, ann = recipients(
        "Delivery failed:\n\n<jo@dest.example>:\n550 5.1.1 unknown\n\n<ann@dest.example>:\n452 4.2.2 full\n"
    )
    assert (jo.smtp_code, jo.status, jo.diagnostic_code) == (550, "5.1.1", "550 5.1.1 unknown")
    assert (ann.smtp_code, ann.status, ann.diagnostic_code) == (452, "4.2.2", "452 4.2.2 full")


def test_no_code_is_invented() -> None:
    (one,) = recipients("Your message to jo@dest.example could not be delivered: the mailbox is full.")
    assert (one.smtp_code, one.status, one.status_field) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<jo@dest.example>: 550 gone\n\nThis is permanent.\n", "550 gone"),
        ("jo@dest.example: No host for it\n\nPlease do nothing.\n", "No host for it"),
        ("jo@dest.example\n\nDetails:\n\nThey said 550 gone\n\nScanned by X.\n", "Details: They said 550 gone"),
        (
            "<jo@dest.example>\nmx.dest.example said: 552 box jo@dest.example is full\n",
            "mx.dest.example said: 552 box jo@dest.example is full",
        ),
        (
            "<jo@dest.example>\n\n--- reply\n550 gone\n\n--- SMTP command\nDATA\n\nBye.\n",
            "--- reply 550 gone --- SMTP command DATA",
        ),
        (
            "It could not reach jo@dest.example. It was full.\n",
            "It could not reach jo@dest.example. It was full.",
        ),
        ("It may not reach jo@dest.example. It said 550 full.\n", "It said 550 full."),
        ("Bye.\n\nNot a member\nof <jo@dest.example>.\n\nAsk us.", "Not a member of <jo@dest.example>. Ask us."),
        ("It could not reach <jo@dest.example> (and others).\n", "It could not reach <jo@dest.example> (and others)."),
        ("Delivery to\n\n  jo@dest.example\n\nfailed (mailbox [full]).\n", "failed (mailbox [full])."),
        ("Rejected (to <jo@dest.example> 550 gone)\n", "550 gone"),
        ("The remote host said 550 gone.\n\nRecipient: <jo@dest.example>\n", "The remote host said 550 gone."),
    ],
)
def test_a_reply_ends_with_its_paragraph(text: str, words: str) -> None:
    (one,) = recipients(f"Delivery failed:\n\n{text}")
    assert one.diagnostic_code == words


@pytest.mark.parametrize(
    "words",
    [
        "(generated from jo@dest.example)",
        "(ultimately generated from jo@dest.example)",
        "(expanded from: <jo@dest.example>)",
    ],
)
def test_the_address_mailed_and_the_one_that_failed(words: str) -> None:
    (one,) = recipients(f"Delivery failed:\n\n  target@far.example\n    {words}\n    550 5.1.1 unknown\n")
    assert (one.final_recipient, one.original_recipient) == ("target@far.example", "jo@dest.example")


ORIGINAL = (
    "Return-Path: <b+1@rp.sender.example>\nFrom: Shop <news@sender.example>\n"
    "To: jo@dest.example\nSubject: Order\nMessage-ID: <o1@sender.example>\n\n"
    "Hello\n"
)


@pytest.mark.parametrize(
    "marker",
    [
        "--- Below this line is a copy of the message.\n\n",
        "----- Original message -----\n\n",
        "Message headers follow.\n\n",
        "",
        "------ This is a copy of the message, including all the headers. ------\n------ The body is long. ------\n\n",
    ],
)
def test_a_copy_is_cut_off_and_read(marker: str) -> None:
    report = parse(
        f"{HEAD}\nYour message to <jo@dest.example> could not be delivered.\n\n{marker}{ORIGINAL}".encode(), ""
    )
    assert report.original is not None
    assert (report.original.where, report.original.message_id) == ("inline", "<o1@sender.example>")
    assert report.text == "Your message to <jo@dest.example> could not be delivered."
    assert report.notice_form is NoticeForm.TEXT


def test_a_quoted_copy_is_read_too() -> None:
    quoted = "".join(f"> {line}\n" for line in ORIGINAL.split("\n"))
    text, found = original.cut(f"It could not be delivered.\n\n{quoted}")
    assert found is not None
    assert (found.message_id, text.strip()) == ("<o1@sender.example>", "It could not be delivered.")


def test_a_summary_of_fields_does_not_end_the_notice() -> None:
    text, found = original.cut(
        "Your message\n\n  To: jo@dest.example\n  Subject: Order\n  Sent: today\n\ndid not arrive.\n"
    )
    assert found is None
    assert text.endswith("did not arrive.\n")
    text, found = original.cut(
        "Fields:\n\n  Message-id: <o1@a.example>\n  From: a@b.example\n  To: c@d.example\n\ncannot be delivered.\n"
    )
    assert found is not None
    assert text.endswith("cannot be delivered.\n")
    text, found = original.cut(  # Sun's and Oracle's Messaging Server
        "It relates to a message you sent with the following header fields:\n\n"
        "  Return-path: <b@rp.sender.example>\n  From: a@b.example\n  Subject: Order\n\n"
        "It cannot be delivered to the following recipients:\n"
    )
    assert found is not None
    assert found.subject == "Order"
    assert text.endswith("following recipients:\n")


def test_a_notice_without_anything_of_the_original_is_separate() -> None:
    assert (
        parse(f"{HEAD}\nYour message to <jo@dest.example> could not be delivered.".encode(), "").notice_form
        is NoticeForm.SEPARATE
    )


def test_transcripts_tell_who_met_which_reply() -> None:
    found = sendmail.replies(
        "   ----- Transcript of session follows -----\n... while talking to mx.example.:\n"
        ">>> RCPT To:<jo@dest.example>\n<<< 550-5.1.1 no\n<<< 550 5.1.1 really\n"
        "550 5.1.1 <jo@dest.example>... User unknown\n... while talking to mx2.example.:\n"
        ">>> DATA\n<<< 421 busy\n<ann@dest.example>... Deferred\n"
    )
    assert found == {
        "jo@dest.example": "550-5.1.1 no 550 5.1.1 really 550 5.1.1 <jo@dest.example>... User unknown",
        "ann@dest.example": "421 busy",
    }


def test_old_transcripts_have_the_reply_before_the_line_that_names_the_recipient() -> None:
    found = sendmail.replies(
        "   ----- Transcript of session follows -----\n550 gone.example (smtp)... 550 Host unknown\n"
        "554 <jo@gone.example>... 550 Host unknown (no address)\nWhile talking to mx.dest.example:\n"
        ">>> MAIL From:<a@b.example>\n<<< 550 Not you\n554 <ann@dest.example>... Remote protocol error\n"
        "421 slow.example (smtp)... Deferred\n"
    )
    assert found == {
        "jo@gone.example": "550 Host unknown (no address)",
        "ann@dest.example": "550 Not you",
    }


def test_each_refusal_of_a_pipelined_session_has_its_own_replies() -> None:
    found = sendmail.replies(
        "   ----- Transcript of session follows -----\n... while talking to mx.dest.example.:\n>>> DATA\n"
        "<<< 552 5.2.2 <ann@dest.example>: full\n554 5.0.0 Service unavailable\n"
        "<<< 550 5.7.1 Denied\n550 5.1.1 <jo@dest.example>... User unknown\n<<< 554 5.5.1 no valid recipients\n"
    )
    assert found == {"jo@dest.example": "550 5.7.1 Denied"}


def test_who_waits_on_has_not_met_the_reply_to_another() -> None:
    for reply in ("550 5.1.1 <jo@dest.example>... User unknown", "550 nobody here"):
        found = sendmail.replies(
            "   ----- Transcript of session follows -----\n... while talking to mx.dest.example.:\n"
            f">>> RCPT To:<jo@dest.example>\n<<< {reply}\n550 5.1.1 <jo@dest.example>... User unknown\n"
            "<ann@slow.example>... Deferred: Connection timed out with mx.slow.example.\n"
        )
        assert found["ann@slow.example"] == "<ann@slow.example>... Deferred: Connection timed out with mx.slow.example."
        assert found["jo@dest.example"].startswith(reply)


def test_mdaemons_transcripts_tell_who_met_which_reply() -> None:
    found = mdaemon.replies(
        "--- Session Transcript ---\n Tue 10:01:02: --> MAIL From:<me@a.example>\n Tue 10:01:02: <-- 250 Ok\n"
        " Tue 10:01:02: --> RCPT To:<Ann@dest.example>\n Tue 10:01:02: <-- 550-5.1.1 nobody\n"
        " Tue 10:01:02: <-- 550 here\n Tue 10:01:03: --> RCPT To:<jo@dest.example>\n Tue 10:01:03: <-- 250 Ok\n"
        " Tue 10:01:03: --> DATA\n Tue 10:01:03: <-- 354 Go on\n Tue 10:01:03: <-- 554 5.7.1 spam\n"
        " Tue 10:01:04: --> MAIL From:<me@a.example>\n Tue 10:01:04: <-- 452 busy\n"
    )
    assert found == {"ann@dest.example": "550-5.1.1 nobody 550 here", "jo@dest.example": "554 5.7.1 spam"}
    assert mdaemon.replies("--- Session Transcript ---\n Attempting SMTP connection to mx.dest.example\n") == {}
    assert mdaemon.replies(" --> RCPT To:<jo@dest.example>\n <-- 550 no\n") == {}


def test_the_words_before_a_transcript_end_with_it() -> None:
    text = (
        "   ----- The following addresses had permanent fatal errors -----\n"
        "<jo@dest.example>\n    (reason: 552 5.2.2 full)\n\n"
        "   ----- Transcript of session follows -----\n... while talking to mx.dest.example.:\n>>> DATA\n"
        "<<< 552 5.2.2 full\n... while talking to mx.other.example.:\n<<< 550 5.1.1 nobody here\n"
    )
    mark = text.index(sendmail.MARK)
    assert sendmail.end(text, mark, text.index("<jo"), len(text)) == text.rindex("\n", 0, mark)
    assert sendmail.end(text, mark, text.index("<<< 552"), len(text)) == text.index("\n... while talking to mx.other")
    assert sendmail.end("no transcript", -1, 0, 5) == 5


@pytest.mark.parametrize(
    ("code", "field", "words", "status"),
    [
        (550, "5.1.1", "550 No such user here", "5.1.1"),
        (550, "5.1.1", "550 Envelope blocked by an administrator", "5.0.0"),
        (550, "5.2.0", "550 Anti-Spoofing policy", "5.0.0"),
        (550, "5.1.1", "550-Callback failed while verifying", "5.0.0"),
        (552, "5.2.2", "552 Requested action aborted, nobody here", "5.0.0"),
        (552, "5.2.2", "552 Quota exceeded", "5.2.2"),
        (554, "5.5.0", "554 Poor reputation", "5.0.0"),
        (451, "4.3.0", "451 Come back later", "4.0.0"),
        (None, "4.2.0", "<jo@dest.example>... Deferred", "4.0.0"),
        (None, "4.4.7", "<jo@dest.example>... Deferred", "4.4.7"),
        (550, "5.7.1", "550 blocked", "5.7.1"),  # not what sendmail makes of 550
        (550, "5.1.1", "550 5.1.1 blocked", "5.1.1"),  # the remote's own
    ],
)
def test_a_status_that_sendmail_made_of_the_code_alone(code: int | None, field: str, words: str, status: str) -> None:
    one = RecipientStatus("jo@dest.example", status=field, status_field=field, smtp_code=code, diagnostic_code=words)
    sober = sendmail.sober(one, ())
    assert (sober.status, sober.status_field) == (status, field)


@pytest.mark.parametrize(
    ("other", "status"), [("554 5.5.1 Error: no valid recipients", "5.0.0"), ("503 Need RCPT first", "5.1.1")]
)
def test_a_remote_that_has_codes_elsewhere_gave_none_here(other: str, status: str) -> None:
    words = "550 No such user here"
    one = RecipientStatus("jo@dest.example", status="5.1.1", status_field="5.1.1", smtp_code=550, diagnostic_code=words)
    session = (
        "   ----- Transcript of session follows -----\n... while talking to other.example.:\n<<< 550 5.7.1 No\n"
        f"... while talking to mx.dest.example.:\n>>> DATA\n<<< {words}\n"
        f"550 5.1.1 <jo@dest.example>... User unknown\n<<< {other}\n"
    )
    assert sendmail.sober(one, sendmail.coded(session)).status == status


def test_html_is_read_where_there_is_no_text() -> None:
    raw = HEAD + (
        "Content-Type: text/html\r\n\r\n<style>x@y.example</style><p>Not delivered to<br>&lt;jo@dest.example&gt;:</p>"
        "<td>550</td><td>5.1.1 "
        "gone</td>"
    )
    (one,) = parse(raw.encode(), "").recipients
    assert one.final_recipient == "jo@dest.example"
    assert "x@y" not in parse(raw.encode(), "").text


def test_reverse_path_given_or_read() -> None:
    raw = (
        b"Return-Path: <>\r\nFrom: Mail Router <router@dest.example>\r\nSubject: x\r\n"
        b"\r\n<jo@dest.example>: 550 5.1.1 user unknown\r\n"
    )
    assert parse(raw).kind is parse(raw, "").kind


def test_the_report_carries_what_later_steps_need() -> None:
    raw = HEAD + (
        "Message-ID: <n1@mx.dest.example>\r\nIn-Reply-To: <o1@sender.example>\r\n"
        "References: <o0@sender.example>\r\n <o1@sender.example>\r\n"
        "Date: Tue, 3 Nov 2026 10:20:30 +0000\r\nX-Mimecast-Originator: <>\r\n\r\n"
        "Not delivered: b+1@rp.sender.example -> jo@dest.example. The address is unknown to the "
        "server.\r\n"
    )
    report = parse(raw.encode(), "")
    assert report.message_id == "<n1@mx.dest.example>"
    assert report.in_reply_to == ("<o1@sender.example>",)
    assert report.references == ("<o0@sender.example>", "<o1@sender.example>")
    assert report.addresses_in_text == ("b+1@rp.sender.example", "jo@dest.example")
    assert report.gateway == "Mimecast"
    assert report.language == "en"
    assert report.date == "Tue, 3 Nov 2026 10:20:30 +0000"


def test_a_header_copied_beside_the_returned_part_is_cut_off_too() -> None:
    raw = (
        HEAD + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
        "Your message to <jo@dest.example> could not be delivered.\r\n\r\nOriginal message headers:\r\n\r\n"
        "Received: from a.example by b.example\r\nFrom: x@copy.example\r\nSubject: Order\r\n\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <o1@sender.example>\r\n"
        "Subject: Order\r\n\r\nx\r\n--b--\r\n"
    )
    report = parse(raw.encode(), "")
    assert report.addresses_in_text == ("jo@dest.example",)
    assert report.original is not None
    assert (report.original.where, report.original.message_id) == ("rfc822", "<o1@sender.example>")


def test_fields_that_lost_their_part() -> None:
    text = (
        "It could not be delivered.\n\nReporting-MTA: dns; mx.dest.example\nArrival-Date: today\n\n"
        "Final-Recipient: rfc822; jo@dest.example\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 нет такого\n"
    )
    report = parse(f"{HEAD}Content-Type: text/plain; charset=utf-8\n\n{text}".encode(), "")
    (one,) = report.recipients
    assert (one.final_recipient, one.status, one.diagnostic_code) == ("jo@dest.example", "5.1.1", "550 нет такого")
    assert (report.reporting_mta, report.arrival_date) == ("mx.dest.example", "today")
