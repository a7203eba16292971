"""The session that sendmail and its kin print ("Transcript of session follows"): which reply met which recipient.

">>>" is what was sent, "<<<" what came back; a line that names a recipient closes the account of him.
"""

import re
from dataclasses import replace

from handlers.parse import reply
from handlers.report import RecipientStatus

MARK = "ranscript of session follows"
_LINES = 4000  # of a transcript that are read
_NAMED = re.compile(r"(?:[245]\d\d[ -](?:[245]\.\d{1,3}\.\d{1,3} )?)?<?([^\s<>]{1,200}@[^\s<>]{1,255}?)>?\.\.\.")
_CODE = re.compile(r"[45]\d\d[ -]")
_RCPT = re.compile(r">>>\s?RCPT TO:\s?<([^<>\s]{1,300})>", re.IGNORECASE)
_TALKING = re.compile(r">>>|(?:\.\.\. )?while talking to ", re.IGNORECASE)
_TALKING_TO = re.compile(r"while talking to ", re.IGNORECASE)
_CODED = re.compile(r"<<< [245]\d\d[ -][245]\.\d{1,3}\.\d{1,3} ")
_SESSION = 64 * 1024  # characters of a transcript that are searched for a remote's other replies
_ENOUGH = 60  # characters of a reply that tell it from others
_OF_THE_CODE = {  # the Status field where the reply has no code of RFC 3463, out of the reply code alone
    None: {"4.2.0", "4.3.0"},
    450: {"4.2.0"},
    451: {"4.3.0"},
    452: {"4.3.1"},
    550: {"5.1.1", "5.2.0"},
    551: {"5.1.6"},
    552: {"5.2.2"},
    553: {"5.1.3"},
    554: {"5.5.0"},
}
_NO_ADDRESS = re.compile(  # RFC 3463 3.8, or 3.5 (no route), is what such a reply means, never an address or a mailbox
    r"\b(?:(?:anti-?)?(?:spam|spoof(?:ing|ed)?)|blocked|(?:black|block) ?list(?:ed)?|policy|prohibit(?:ed|ion)|"
    r"reputation|virus|unroute?able)\b",
    re.IGNORECASE,
)
_BORNE_OUT = {
    "5.1.1": re.compile(
        r"user|recipient|mailbox|address|account|unknown|exist|empf|benutzer|unbekannt|utilisat|destinat|inconnu|usuario",
        re.IGNORECASE,
    ),
    "5.2.2": re.compile(r"full|quota|storage|space|size|large|exceed|too many", re.IGNORECASE),
}


def replies(text: str) -> dict[str, str]:
    """Lower-case address -> the words of the transcript about it, the remote's reply first."""
    at = text.find(MARK)
    if at < 0:
        return {}
    found: dict[str, str] = {}
    answer: list[str] = []
    asked, closed = "", False
    for line in text[at:].split("\n", _LINES)[1:_LINES]:
        line = line.strip()
        rcpt = _RCPT.match(line)
        if _TALKING.match(line):
            answer, asked = [], rcpt[1].lower() if rcpt else ""
        elif line.startswith("<<<"):
            if closed and not asked:
                answer = []  # pipelined: each refusal has its replies, and then a line of sendmail's own
            closed = False
            answer.append(line[3:].strip())
            if asked:
                found[asked] = " ".join(answer)
        else:
            _close(line, answer, found)
            closed = closed or _CODE.match(line) is not None
    return found


def end(text: str, at: int, start: int, stop: int) -> int:
    """Where words that begin at `start` end at the latest: before the transcript, and within it with the session.

    `at` is where the transcript is, negative where there is none.
    """
    if at < 0:
        return stop
    mark = text.rfind("\n", 0, at) if start < at else text.find("\n... while talking to ", start)
    return min(stop, mark) if mark >= start else stop


def _close(line: str, answer: list[str], found: dict[str, str]) -> None:
    """A line "550 5.1.1 <a@b>... User unknown" or "<a@b>... Deferred: ..."."""
    named = _NAMED.match(line)
    if named is None:
        return
    key = named[1].lower()
    inner = line[named.end() :].strip()
    answer = [said for said in answer if not _is_for_another(said, key, inner)]
    if _CODE.match(inner):  # "554 <a@b>... 550 Host unknown": the mailer's code, then what it was told
        line = inner
    refused = any(_CODE.match(said) for said in answer)  # the line is what sendmail makes of it
    words = answer if refused else [*answer, line]
    if key not in found:
        found[key] = " ".join(words)
    elif line not in found[key]:
        found[key] += " " + line


def _is_for_another(said: str, key: str, inner: str) -> bool:
    """A reply of the session that met another recipient: it names him, or is final where this one waits on."""
    named = _NAMED.match(said)
    return (named is not None and named[1].lower() != key) or (inner.startswith("Deferred") and said.startswith("5"))


def coded(text: str) -> tuple[str, ...]:
    """The sessions of the transcript in which the remote has codes of RFC 3463 in a reply."""
    sessions = _TALKING_TO.split(text[max(0, text.find(MARK)) :][:_SESSION])
    return tuple(session for session in sessions if _CODED.search(session))


def sober(one: RecipientStatus, with_codes: tuple[str, ...]) -> RecipientStatus:
    """The recipient without a status that sendmail made of the reply code alone, where the reply does not bear it out.

    Nor where the remote has codes of RFC 3463 in its other replies (RFC 2034 3: then in all), and gave none here, so
    that its session is one of `with_codes`. The class is all that is known then: x.0.0, "other undefined status" (RFC
    3463 3.1). `status_field` keeps the field.
    """
    words = one.diagnostic_code or ""
    status = one.status or ""
    if status not in _OF_THE_CODE.get(one.smtp_code, ()) or reply.read(words)[1]:
        return one
    if status != reply.status_of_field(one.status_field or ""):
        return one
    borne_out = status[0] == "5" and not _NO_ADDRESS.search(words) and _is_borne_out(status, words)
    gave_none = any(words[:_ENOUGH] in session for session in with_codes)
    return one if borne_out and not gave_none else replace(one, status=f"{status[0]}.0.0")


def _is_borne_out(status: str, words: str) -> bool:
    said = _BORNE_OUT.get(status)
    return said is None or said.search(words) is not None
