"""Reply codes and enhanced status codes out of a remote's reply text: what stands there, else the class alone."""

import re

# Each begins with its digit and looks behind from there: so the search leaps from digit to digit.
# RFC 3463 2; not part of a dotted longer number (an IP address, a version).
_STATUS = re.compile(r"([245](?<![\d.a-zA-Z/].)\.\d{1,3}\.\d{1,3})(?!\w)(?!\.\d)")
# RFC 5321 4.2: three digits, then a space, a hyphen (more lines follow) or the end.
_CODE = re.compile(r"([45](?:(?<![\w.:/@#=+-].)|(?<=\s:.))[0-5]\d)(?=[ \t-]|$|:|;|,|\.\s|\)|\")")
_STATUS_AFTER_CODE = re.compile(
    r"([2345](?<![\w.:/@=+].)[0-5]\d)[ -]{1,4}[\[(<\"']?#?([245]\.\d{1,3}\.\d{1,3})(?!\d)(?!\.\d)"
)
_NO_REPLY = re.compile(r"\b451 (?:4\.4\.[12] )?reply: read error\b")  # sendmail's own words on a lost connection


def read(text: str) -> tuple[int | None, str | None]:
    """(reply code, enhanced status) as the reply text has them, each None where it is not there."""
    if "reply: read" in text:
        text = _NO_REPLY.sub("", text)
    # "554 4.4.7 expired <421 4.4.2 timed out>": the second is the remote's
    pairs = [(int(code), status) for code, status in _STATUS_AFTER_CODE.findall(text) if code[0] == status[0]]
    refused = next((pair for pair in pairs if pair[0] >= 400), None)
    if refused:
        return refused[0], _finer(refused[1], text)
    found = _CODE.search(text)
    if found is None and pairs:
        return pairs[0]
    # a session has what was accepted first: "250 2.1.0 Ok", then "550 No"
    said = (status for status in _STATUS.findall(text) if is_status(status) and not (found and status[0] == "2"))
    return (int(found[1]) if found else None), next(said, None)


def _finer(status: str, text: str) -> str:
    """ "550 5.0.0 no mailbox here (#5.1.1)": x.0.0, which clients put before a reply without status, says nothing."""
    if not status.endswith(".0.0"):
        return status
    others = (s for s in _STATUS.findall(text) if s[0] == status[0] and not s.endswith(".0.0") and is_status(s))
    return next(others, status)


def is_status(value: str) -> bool:
    """RFC 3463 2: class 2, 4 or 5, subject and detail of at most three digits without a leading zero."""
    subject, _, detail = value[2:].partition(".")
    return (subject == "0" or subject[0] != "0") and (detail == "0" or detail[0] != "0") and int(subject) <= 9


def status_of_field(value: str) -> str | None:
    """The code out of a Status field (RFC 3464 2.3.4), which may carry a comment or be garbage."""
    found = _STATUS.search(value[:200])
    return found[1] if found and is_status(found[1]) else None


def decide(field: str | None, literal: str | None) -> str | None:
    """The remote's own code where the text has one, else the field, which many MTAs fill vaguely or wrongly.

    x.0.0 and x.y.0 say "other" (RFC 3463 3): a field of the same class, or the same subject, is finer.
    """
    if literal is None or field is None:
        return literal or field
    vague = literal.endswith(".0.0") or (literal.endswith(".0") and field.startswith(literal[:-1]))
    return field if vague else literal


def class_of(code: int | None) -> str | None:
    """x.0.0 for a reply that has no status: all that is known then is the class (RFC 3463 2, 3.1)."""
    return f"{code // 100}.0.0" if code is not None and code >= 400 else None


_FIRST = re.compile(r"[\"'(]?([2345]\d\d)[ -](?:#?([245]\.\d{1,3}\.\d{1,3})[ -]?)?")


def one_line(text: str) -> str:
    """A reply of several lines repeats its code on each (RFC 5321 4.2.1); MTAs fold them into one."""
    first = _FIRST.match(text)
    if first is None:
        return text
    head, rest = text[: first.end()], text[first.end() :]
    code, status = first[1], first[2]
    if status:
        for again in (f" {code}-{status} ", f" {code} {status} ", f" {code}-{status}-"):
            rest = rest.replace(again, " ")
    return head + rest.replace(f" {code}-", " ") if f" {code}-" in rest else head + rest
