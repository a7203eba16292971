"""Which captures can be tied to what was sent, which name something else, and which name nothing."""

import pytest

from handlers.bounce import Link
from handlers.detached import Detection, detect
from handlers.report import Report
from handlers.words import Detectability, Kind, LinkMethod, NoticeForm
from tests.unit.sent import failed, original, report


def link(method: LinkMethod, strength: str = "strong", state: str = "valid") -> Link:
    return Link(method, "somewhere", state, "value", 1 if strength != "none" else None, strength)


TOKEN, MESSAGE_ID = link(LinkMethod.TOKEN), link(LinkMethod.MESSAGE_ID)
FOREIGN = link(LinkMethod.MESSAGE_ID, "none", "foreign")
FOREIGN_ENVELOPE_ID = link(LinkMethod.ENVELOPE_ID, "none", "foreign")
NOTICES = (Kind.FAILURE, Kind.DELAY)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in NOTICES])
def test_what_tells_no_outcome_is_no_bounce_whatever_ties_it(kind: Kind) -> None:
    found = detect(report(kind=kind), [TOKEN, MESSAGE_ID])
    form = NoticeForm.DSN if kind is Kind.SUCCESS else None
    assert found == Detection(Detectability.NOT_A_BOUNCE, None, form)


@pytest.mark.parametrize("kind", NOTICES)
@pytest.mark.parametrize(
    ("links", "detectability"),
    [
        ([TOKEN], "matched"),
        ([link(LinkMethod.THREAD, "weak")], "matched"),
        ([FOREIGN, link(LinkMethod.BODY_TOKEN, "weak")], "matched"),
        ([FOREIGN], "unmatched"),
        ([link(LinkMethod.TOKEN, "none", "expired")], "unmatched"),
        ([link(LinkMethod.TOKEN, "none", "bad_mac"), FOREIGN], "unmatched"),
        ([], "undetectable"),
        ([FOREIGN_ENVELOPE_ID], "undetectable"),
        ([FOREIGN_ENVELOPE_ID, FOREIGN], "unmatched"),
        ([link(LinkMethod.ENVELOPE_ID, "none", "unknown")], "unmatched"),
    ],
)
def test_the_links_decide(kind: Kind, links: list[Link], detectability: str) -> None:
    found = detect(report(failed("ann@x.example"), kind=kind), links)
    assert (found.detectability, found.notice_form) == (detectability, "dsn")
    assert (found.undetectable_reason is not None) == (detectability == "undetectable")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (report(notice_form=NoticeForm.SEPARATE), "nothing_quoted"),
        (report(failed("ann@x.example"), notice_form=NoticeForm.SEPARATE), "recipient_only"),
        (
            report(failed("ann@x.example"), notice_form=NoticeForm.SEPARATE, text="Betreff: Angebot"),
            "subject_and_recipient_only",
        ),
        (report(notice_form=NoticeForm.SEPARATE, text="Subject: Offer"), "nothing_quoted"),
        (report(notice_form=NoticeForm.DSN), "dsn_without_original"),
        (report(original=original(where="rfc822")), "original_without_ids"),
        (report(original=original(where="rfc822-headers")), "original_without_ids"),
        (report(original=original(where="inline"), notice_form=NoticeForm.TEXT), "subject_and_recipient_only"),
    ],
)
def test_what_is_missing(told: Report, reason: str) -> None:
    assert detect(told, []).undetectable_reason == reason


@pytest.mark.parametrize(
    ("told", "form"),
    [
        (report(notice_form=None), NoticeForm.SEPARATE),
        (report(notice_form=None, original=original()), NoticeForm.TEXT),
        (report(notice_form=NoticeForm.DSN, original=original()), NoticeForm.DSN),
    ],
)
def test_the_form_of_a_notice(told: Report, form: NoticeForm) -> None:
    assert detect(told, [TOKEN]).notice_form == form


@pytest.mark.parametrize(
    ("form", "links", "detectability"),
    [
        (NoticeForm.SEPARATE, [TOKEN], "undetectable"),
        (NoticeForm.SEPARATE, [TOKEN, FOREIGN], "undetectable"),
        (NoticeForm.SEPARATE, [TOKEN, MESSAGE_ID], "matched"),
        (NoticeForm.SEPARATE, [MESSAGE_ID], "matched"),
        (NoticeForm.SEPARATE, [FOREIGN], "unmatched"),
        (NoticeForm.SEPARATE, [link(LinkMethod.TOKEN, "none", "expired")], "unmatched"),
        (NoticeForm.SEPARATE, [], "undetectable"),
        (NoticeForm.DSN, [TOKEN], "matched"),
        (NoticeForm.TEXT, [TOKEN], "matched"),
    ],
)
def test_separate_notices_can_be_flagged(form: NoticeForm, links: list[Link], detectability: str) -> None:
    told = report(failed("ann@x.example"), notice_form=form)
    assert detect(told, links, flag_separate=True).detectability == detectability
