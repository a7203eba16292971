"""What a mail without a typed report is. `of_text` is the order of decisions; the first that applies wins."""

import re

from handlers.parse import phrases, score
from handlers.parse.notice import Notice
from handlers.parse.signs import CERTAIN, LIKELY, SHORT, SURE, prefixes
from handlers.report import KIND_GUESSED
from handlers.words import Kind

_TAG = re.compile(r"[\[【(][^\]】)]{1,40}[\]】)] ?")
_DESK = re.compile(r"abuse|feedback|fbl|complaint|scomp|staff@|spam|postmaster", re.IGNORECASE)


def of_text(notice: Notice) -> Kind:
    """Kind of a mail that is no typed report."""
    return _by_one_sign(notice) or _by_all_signs(notice)


def _by_one_sign(notice: Notice) -> Kind | None:
    """Where one sign settles it."""
    signs = notice.signs
    if signs.prefix("forward") and not (signs.hard_role and signs.null_path):
        return Kind.OTHER  # a bounce that somebody forwards proves nothing
    if _is_certain(notice):
        return failure_or_delay(notice)  # none of the doubts below applies
    if not signs.code and _is_read_receipt(notice):
        return Kind.MDN
    if _is_complaint(notice):
        return Kind.COMPLAINT
    if not signs.failed_subject and phrases.hit("hold", signs.subject_words) and not signs.asks:
        return Kind.HELD_NOTICE
    if _is_of_a_list(notice):
        return Kind.OTHER
    if _is_phishing(notice):
        return Kind.OTHER
    if signs.asks and not signs.sounds(Kind.AUTO_REPLY, sure=CERTAIN):
        return Kind.CHALLENGE
    if not (signs.code or signs.failed_subject):
        if signs.sounds(Kind.CHALLENGE, Kind.HELD_NOTICE):
            return _guessed(notice, max(Kind.CHALLENGE, Kind.HELD_NOTICE, key=signs.tone.__getitem__))
        if signs.sounds(Kind.MDN):
            return _guessed(notice, Kind.MDN)
    if signs.hard_role and _is_success(notice):
        return Kind.SUCCESS
    return None


def _by_all_signs(notice: Notice) -> Kind:
    signs = notice.signs
    told = score.looks_like_one(notice)
    guessed = not told and score.sounds_like_one(notice)
    if _is_auto_reply(notice, signs.hard_role and (told or guessed)):
        return Kind.AUTO_REPLY
    held = signs.says("hold") and (not signs.failed_subject or signs.says("release"))
    if held and not (signs.code or signs.sounds(Kind.AUTO_REPLY, Kind.FAILURE)):
        return Kind.HELD_NOTICE
    if not (signs.hard_role or signs.code or signs.failed_subject) and signs.sounds(Kind.AUTO_REPLY, sure=CERTAIN):
        return _guessed(notice, Kind.AUTO_REPLY)
    if (told or guessed) and not (_is_of_no_mail(notice) or _is_of_a_member(notice)):
        return failure_or_delay(notice) if told else _guessed(notice, failure_or_delay(notice))
    return _by_tone(notice)


def _is_of_a_list(notice: Notice) -> bool:
    """A post or a newsletter. List software that refuses a post has these fields as well (RFC 2369, RFC 2919)."""
    signs = notice.signs
    if not ("list-id" in notice.fields or "list-unsubscribe" in notice.fields):
        return False
    return not (signs.hard_role or signs.null_path or signs.product or signs.responds)


def _is_certain(notice: Notice) -> bool:
    """All of a bounce's marks at once, or the field that Exim and Gmail write and no responder does."""
    signs = notice.signs
    if signs.null_path and "x-failed-recipients" in notice.fields:
        return True
    return signs.hard_role and signs.failed_subject and signs.code and signs.names_somebody


def _by_tone(notice: Notice) -> Kind:
    """What neither phrases nor fields tell. Nobody fails by it: a kind that is no bounce, or none."""
    signs = notice.signs
    software = signs.role or signs.product or signs.responds or notice.original is not None
    if software and signs.says("moderation"):
        return Kind.HELD_NOTICE
    person = signs.prefix("reply") or signs.prefix("forward")
    if not signs.failed_subject:
        if software and signs.sounds(Kind.HELD_NOTICE, sure=LIKELY):
            return _guessed(notice, Kind.HELD_NOTICE)
        if (software or (signs.link and signs.answers)) and signs.sounds(Kind.CHALLENGE, sure=LIKELY):
            return _guessed(notice, Kind.CHALLENGE)
    if signs.responds:
        return Kind.AUTO_REPLY
    needed = LIKELY if signs.answers and not person else SURE
    if signs.wordy and signs.sounds(Kind.AUTO_REPLY, sure=needed) and not signs.says("unsubscribe"):
        return _guessed(notice, Kind.AUTO_REPLY)
    if not person and not signs.failed_subject:
        for kind in (Kind.COMPLAINT, Kind.SUCCESS, Kind.MDN):
            if signs.sounds(kind):
                return _guessed(notice, kind)
    return Kind.OTHER


def _guessed(notice: Notice, kind: Kind) -> Kind:
    notice.faults.append(KIND_GUESSED)
    return kind


def failure_or_delay(notice: Notice) -> Kind:
    """A delay, unless something final is said or the remote's code is permanent."""
    signs = notice.signs
    subject = phrases.hit("delay", notice.folded_subject)
    if subject and (not signs.failed_subject or (signs.says("delay") and not signs.says("final"))):
        return Kind.DELAY  # whatever code a transcript of the session has
    if not subject and not signs.says("delay"):
        waits = not (signs.failed_subject or signs.says("final")) and signs.sounds(Kind.DELAY, sure=LIKELY)
        return _guessed(notice, Kind.DELAY) if waits else Kind.FAILURE
    if signs.permanent_code or signs.says("final"):
        return Kind.FAILURE
    return _guessed(notice, Kind.FAILURE) if signs.sounds(Kind.FAILURE, sure=LIKELY) else Kind.DELAY


def gave_up(notice: Notice) -> bool:
    """The words of a report say "expired" though its Action says "delayed", and promise no further attempt."""
    return notice.signs.says("final") and not notice.signs.says("delay")


def returned(notice: Notice) -> bool:
    """The subject says that the mail came back: nobody returns what he goes on trying with (nullmailer)."""
    subject = notice.folded_subject
    return phrases.hit("returned", subject) is not None and phrases.hit("delay", subject) is None


def says_final(words: str) -> bool:
    """What is said of one recipient tells of an end: "Envelope expired"."""
    return phrases.hit("final", phrases.Folded(words)) is not None


def _is_success(notice: Notice) -> bool:
    """A mail server says "delivered", and nothing that sounds like "not delivered"."""
    signs = notice.signs
    subject = phrases.hit("success", notice.folded_subject)
    if signs.code or (signs.failed_subject and not subject):
        return False
    return bool(subject or signs.says("success")) and not signs.failure


def _is_read_receipt(notice: Notice) -> bool:
    """A receipt that lost its report part: "Read:" and hardly a word, or Outlook's winmail.dat alone."""
    receipt = notice.folded_subject.text.startswith(tuple(prefixes("receipt")))
    if not (receipt or notice.signs.prefix("read")):
        return notice.signs.size < SHORT // 2 and not notice.signs.failure and notice.signs.says("receipt")
    return bool(notice.mail.leaf("application/ms-tnef")) or len(notice.text.strip()) < 500


def _is_complaint(notice: Notice) -> bool:
    """A complaint without ARF: an abuse desk's mail, or an old feedback loop's."""
    signs = notice.signs
    if signs.signed_as(Kind.COMPLAINT):
        return True
    if signs.failed_subject or signs.prefix("reply"):
        return False
    told = phrases.hit("complaint", notice.folded_subject) or (notice.returned and signs.says("complaint"))
    if not told:
        return False
    desk = _DESK.search(notice.from_[:300]) is not None or "x-loop" in notice.fields
    return desk or signs.sounds(Kind.COMPLAINT, sure=LIKELY)


def _is_phishing(notice: Notice) -> bool:
    """Mail about *our* mailbox or parcel that wants a click: two groups of words, a link, and no bounce's marks."""
    signs = notice.signs
    lures = signs.link and not (signs.names_somebody or notice.original or signs.answers)
    if lures and not (signs.hard_role and signs.null_path) and signs.sounds(Kind.OTHER):
        return True
    if not signs.link or notice.original or "x-failed-recipients" in notice.fields:
        return False
    if signs.size > 4 * SHORT or (signs.code and signs.names_somebody):
        return False
    text = phrases.Folded(notice.folded_subject.text + " . " + notice.folded.text)
    if not any(phrases.hit(f"phishing.{name}", text) for name in ("mailbox", "parcel")):
        return False
    pushed = any(phrases.hit(f"phishing.{name}", text) for name in ("login", "pressure", "money"))
    return pushed and not signs.asks


def _is_of_no_mail(notice: Notice) -> bool:
    """A carrier's note, bait or a table of figures: it names no address of a mailbox, and brings nothing back."""
    signs = notice.signs
    if signs.names_somebody or notice.original or (signs.null_path and signs.hard_role):
        return False
    if signs.code:
        return not signs.failed_subject and signs.sounds(Kind.REPORT, Kind.OTHER)
    if signs.link and not (signs.null_path or signs.automatic or signs.answers or signs.product):
        return True
    text = phrases.Folded(notice.folded_subject.text + " . " + notice.folded.text)
    return phrases.hit("phishing.parcel", text) is not None or phrases.hit("mail", text) is None


def _is_of_a_member(notice: Notice) -> bool:
    """List software that switches a member off, and tells him or its owner why."""
    signs = notice.signs
    lists = "x-mailman-version" in notice.fields or "list-id" in notice.fields or not signs.hard_role
    return lists and not signs.failed_subject and signs.says("membership")


def _is_auto_reply(notice: Notice, bounce: bool) -> bool:
    """By its subject, or by its words together with a sign that software wrote it."""
    signs = notice.signs
    software = signs.automatic or signs.null_path
    told = not signs.failed_subject and _subject_says_so(notice, software)
    absent = phrases.count("absence", notice.folded, 2)
    coded = signs.null_path and signs.names_somebody and (signs.permanent_code or signs.machine)
    # a person who is away writes of codes, or wants us to believe them; an office has its software report so
    coded = coded and (signs.role or not (told or absent))
    coded = coded or (score.is_of_software(notice) and signs.sounds(Kind.FAILURE))
    if (bounce or coded) and (signs.failed_subject or signs.failure or signs.sounds(Kind.FAILURE)):
        return False
    if told:
        return True
    if signs.size > 4 * SHORT:
        return False
    if signs.signed_as(Kind.AUTO_REPLY):
        return not (signs.failure and signs.names_somebody)
    if signs.failed_subject:
        return False
    short = signs.size < SHORT // 2
    left = signs.says("left")
    plain = signs.answers and short and (left or "in-reply-to" not in notice.fields)  # people tell of holidays too
    plain = plain and "?" not in notice.own
    if absent + left > 1 or ((absent or left) and (software or plain)):
        return True
    thanks = phrases.count("acknowledgement", notice.folded, 2)
    says_so = signs.hard_role or "automat" in notice.folded_subject.text[-40:]
    return bool(thanks and software) or (thanks > 1 and short and (says_so or not signs.answers))


def _subject_says_so(notice: Notice, software: bool) -> bool:
    """ "Automatic reply: ..."; a word further behind wants support, since people write of holidays too."""
    words = notice.signs.subject_words
    starts = [start for start, _, _ in phrases.group("auto_subject").all(words)]
    if not starts:
        return False
    tag = _TAG.match(words.text)  # "[Help desk] We have received ..."
    if software or min(starts) < 6 + (tag.end() if tag else 0) or "automat" in notice.folded_subject.text:
        return True
    if phrases.hit("left", notice.folded_subject):
        return True
    return any(map(notice.signs.says, ("absence", "acknowledgement", "left")))
