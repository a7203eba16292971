"""The shape of `inspect --json`, which others script against."""

import json
from dataclasses import replace

import pytest

from handlers import inspection
from handlers.bounce import NO_BOUNCE, Link, Verdict
from handlers.report import Original, RecipientStatus, Report
from handlers.words import Action, BounceType, Category, Detectability, Kind, LinkMethod, NoticeForm, Reason

ANN = RecipientStatus(
    "ann.alias@mx.example",
    "ann@mx.example",
    Action.FAILED,
    status="5.2.2",
    smtp_code=552,
    diagnostic_code="552 5.2.2 mailbox full",
    remote_mta="in.mx.example",
)
BOB = RecipientStatus("bob@mx.example")
FULL = Verdict(Reason.MAILBOX_FULL, BounceType.SOFT, Category.MAILBOX_FULL, "mailbox-full", "mailbox full")
UNKNOWN = Verdict(Reason.UNKNOWN, BounceType.PENDING, Category.OTHER, "nothing-said")
REPORT = Report(Kind.FAILURE, NoticeForm.DSN, (ANN, BOB))
LINK = Link(LinkMethod.ENVELOPE_ID, "original_envelope_id", "unknown", "env-1")


def test_an_inspection_has_the_published_fields() -> None:
    found = inspection.inspection(REPORT, (FULL, UNKNOWN), (LINK,), Detectability.UNMATCHED, NoticeForm.DSN)
    assert json.loads(json.dumps(found)) == {
        "kind": "failure",
        "detectability": "unmatched",
        "notice_form": "dsn",
        "links": [
            {
                "method": "envelope_id",
                "where": "original_envelope_id",
                "state": "unknown",
                "value": "env-1",
                "delivery": None,
                "strength": "none",
            }
        ],
        "recipients": [
            {
                "address": "ann.alias@mx.example",
                "final_recipient": "ann.alias@mx.example",
                "original_recipient": "ann@mx.example",
                "action": "failed",
                "status": "5.2.2",
                "smtp_code": 552,
                "diagnostic": "552 5.2.2 mailbox full",
                "remote_mta": "in.mx.example",
                "reason": "mailbox_full",
                "category": "mailbox_full",
                "type": "soft",
                "rule": "mailbox-full",
                "span": "mailbox full",
            },
            {
                "address": "bob@mx.example",
                "final_recipient": "bob@mx.example",
                "original_recipient": None,
                "action": None,
                "status": None,
                "smtp_code": None,
                "diagnostic": None,
                "remote_mta": None,
                "reason": "unknown",
                "category": "other",
                "type": "pending",
                "rule": "nothing-said",
                "span": "",
            },
        ],
    }


def test_a_mail_that_is_no_notice() -> None:
    found = inspection.inspection(Report(Kind.AUTO_REPLY), (), (), Detectability.NOT_A_BOUNCE, None)
    assert json.loads(json.dumps(found)) == {
        "kind": "auto_reply",
        "detectability": "not_a_bounce",
        "notice_form": None,
        "links": [],
        "recipients": [],
    }


def test_the_address_that_was_mailed_is_shown_where_it_is_known() -> None:
    found = inspection.recipients(REPORT, (FULL, UNKNOWN), {ANN: "Ann@mx.example"})
    assert [each["address"] for each in found] == ["Ann@mx.example", "bob@mx.example"]
    assert found[0]["final_recipient"] == "ann.alias@mx.example"


def test_recipients_without_verdicts_keep_what_was_said() -> None:
    found = inspection.recipients(REPORT, ())
    assert [(each["smtp_code"], each["reason"], each["type"]) for each in found] == [
        (552, None, None),
        (None, None, None),
    ]


@pytest.mark.parametrize("rule", NO_BOUNCE)
def test_a_recipient_that_did_not_bounce_has_no_reason_and_no_type(rule: str) -> None:
    """A script that counts types must not count who was reached."""
    arrived = replace(UNKNOWN, type=BounceType.SOFT, rule=rule)
    first, second = inspection.recipients(REPORT, (FULL, arrived))
    assert (first["type"], first["reason"]) == ("soft", "mailbox_full")
    assert [second[name] for name in ("reason", "category", "type", "rule")] == [None, None, None, rule]


@pytest.mark.parametrize("verdicts", [(FULL,), (FULL, UNKNOWN, FULL)])
def test_verdicts_of_other_recipients_are_a_fault_of_ours(verdicts: tuple[Verdict, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        inspection.recipients(REPORT, verdicts)


def test_the_report_is_shown_without_its_bulk() -> None:
    original = Original("rfc822", "<m1@s.example>", "Hello", "us@s.example", "ann@mx.example", {"x-secret": "1"})
    report = replace(
        REPORT, original=original, references=("<m1@s.example>",), text="y" * 9000, suggestion={"left": True}
    )
    fields = inspection.report_fields(report)
    assert fields["original"] == {
        "where": "rfc822",
        "message_id": "<m1@s.example>",
        "subject": "Hello",
        "from": "us@s.example",
        "to": "ann@mx.example",
    }
    assert fields["text"] == "y" * 2000
    assert fields["suggestion"] == {"left": True}
    assert json.loads(json.dumps(fields)) == fields


def test_a_report_of_nothing_is_ready_for_json() -> None:
    fields = inspection.report_fields(Report(Kind.OTHER))
    assert json.loads(json.dumps(fields)) == fields
    assert fields["original"] is None
