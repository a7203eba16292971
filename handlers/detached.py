"""Which notices nobody can tie to a message: they are counted as blind spots instead of guessed."""

from collections.abc import Iterable
from dataclasses import dataclass

from handlers import quoted
from handlers.bounce import NONE, Link
from handlers.report import Report
from handlers.words import Detectability, Kind, LinkMethod, NoticeForm

_NOTICES = {Kind.FAILURE, Kind.DELAY}


@dataclass(frozen=True, slots=True)
class Detection:
    """Whether a capture can be tied to what was sent, and where it can't, why."""

    detectability: Detectability
    undetectable_reason: str | None = None
    notice_form: NoticeForm | None = None


def detect(report: Report, links: Iterable[Link], *, flag_separate: bool = False) -> Detection:
    """The detectability of one capture, given everything that was found to tie it to a message.

    With `flag_separate` the return path alone ties no separate e-mail: whoever knows the address can write one.
    """
    if report.kind not in _NOTICES:
        return Detection(Detectability.NOT_A_BOUNCE, None, report.notice_form)
    # gateways put ids of their own where the sender's would stand (RFC 3464 2.2.1): such a one names no original
    found = tuple(each for each in links if (each.method, each.state) != (LinkMethod.ENVELOPE_ID, "foreign"))
    form = report.notice_form or (NoticeForm.TEXT if report.original else NoticeForm.SEPARATE)
    tying = {link.method for link in found if link.strength != NONE}
    if tying == {LinkMethod.TOKEN} and flag_separate and form is NoticeForm.SEPARATE:
        return Detection(Detectability.UNDETECTABLE, _what_is_missing(report), form)
    if tying:
        return Detection(Detectability.MATCHED, None, form)
    if found:
        return Detection(Detectability.UNMATCHED, None, form)
    return Detection(Detectability.UNDETECTABLE, _what_is_missing(report), form)


def _what_is_missing(report: Report) -> str:
    if report.original:
        return "subject_and_recipient_only" if report.original.where == "inline" else "original_without_ids"
    if report.notice_form is NoticeForm.DSN:
        return "dsn_without_original"
    if not report.recipients:
        return "nothing_quoted"
    return "subject_and_recipient_only" if quoted.subject(report) else "recipient_only"
