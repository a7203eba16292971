"""What else a capture tells the operator: when somebody is back, that he left, that he wants no more mail."""

from collections.abc import Mapping

from handlers.parse import dates, phrases
from handlers.parse.notice import Notice
from handlers.words import Kind

PLEA = 600  # characters of a plea to be left alone; newsletters say "unsubscribe" in far more

Suggestion = Mapping[str, str | bool | None]


def suggest(notice: Notice, kind: Kind) -> Suggestion | None:
    """The one thing worth an operator's look; None mostly."""
    if kind is Kind.AUTO_REPLY:
        away = notice.signs.says("absence")
        return (_returns(notice) if away else None) or _left(notice) or _returns(notice)
    if kind in {Kind.OTHER, Kind.COMPLAINT} and _wants_out(notice):
        return {"unsubscribe": True}
    return None


def _left(notice: Notice) -> Suggestion | None:
    found = phrases.hit("left", notice.folded) or phrases.hit("left", notice.folded_subject)
    if not found:
        return None
    new = [a[2] for a in notice.addresses if a[2].lower() not in notice.own_addresses]
    return {"left": True, "new_address": new[0] if new else None}


def _returns(notice: Notice) -> Suggestion | None:
    if not (notice.signs.says("absence") or phrases.hit("absence", notice.folded_subject)):
        return None
    text = notice.folded.text[:4000]
    day = dates.returns_on(text, notice.header("date"), notice.language)
    day = day or dates.returns_on(notice.folded_subject.text, notice.header("date"), notice.language)
    return {"returns_on": day} if day else None


def _wants_out(notice: Notice) -> bool:
    if "list-unsubscribe" in notice.fields or "list-id" in notice.fields:
        return False
    own = notice.folded.text
    if len(own) > PLEA or not (own or notice.folded_subject.text):
        return False
    if notice.mail.leaf("text/calendar"):
        return False
    subject = "re" not in notice.folded_subject.words and phrases.hit("unsubscribe", notice.folded_subject)
    return bool(subject or phrases.hit("unsubscribe", notice.folded))
