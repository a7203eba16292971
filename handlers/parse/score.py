"""How much a text looks like a bounce: points for its marks, and where these are few, for its tone."""

from handlers.parse.notice import Notice
from handlers.parse.signs import LIKELY
from handlers.words import Kind

THRESHOLD = 6  # points from which a text is taken for a delivery notice


def looks_like_one(notice: Notice) -> bool:
    """Enough marks of a bounce."""
    return points(notice) >= THRESHOLD


def sounds_like_one(notice: Notice) -> bool:
    """Enough marks with its tone added."""
    signs = notice.signs
    if not is_of_software(notice) or not signs.sounds(Kind.FAILURE, Kind.DELAY, sure=LIKELY if signs.code else 0.8):
        return False
    return points(notice, sounds=4 + 2 * signs.sounds(Kind.FAILURE, Kind.DELAY)) >= THRESHOLD


def points(notice: Notice, sounds: int = 0) -> int:
    """`sounds` is what its tone is worth. Never one sign alone: out-of-office replies have a null sender too."""
    signs = notice.signs
    wording = sounds > 0 or signs.failure or (signs.hard_role and signs.says("delay"))
    if not (wording or signs.failed_subject or (signs.code and (signs.hard_role or signs.null_path))):
        return 0
    found = 2 * signs.null_path + 2 * signs.role + signs.hard_role
    found += 3 * signs.failed_subject + 3 * wording + 2 * signs.code + sounds
    found += "auto-submitted" in notice.fields or "x-auto-response-suppress" in notice.fields
    found += 2 * signs.product + signs.names_somebody + 2 * (wording and notice.original is not None)
    real = bool(notice.reverse_path)
    if not signs.role:
        found -= 4 * signs.prefix("reply") + 4 * (real and "in-reply-to" in notice.fields)
        found -= 4 * (real and notice.original is None and not signs.automatic)  # people write of bounces too
        if signs.automatic and not (signs.failed_subject or signs.code or signs.product or notice.original):
            found -= 3  # an absence told in words that no table has
    elif not signs.hard_role and real and signs.prefix("reply") and "in-reply-to" in notice.fields:
        found -= 4  # a help desk's answer
    elif real and not (signs.hard_role or signs.code or signs.names_somebody or signs.product or notice.original):
        found -= 3 * (not signs.automatic)  # an office's note of parcels, faxes or payments
    return found


def is_of_software(notice: Notice) -> bool:
    """It names somebody, answers nobody, and comes from an office: people forward bounces, and tell of them."""
    signs = notice.signs
    if not signs.names_somebody or signs.answers or signs.prefix("forward") or notice.original:
        return False
    return signs.office or signs.null_path
