"""flufl.bounce as an oracle: an address that it finds and we do not, or that only we find, has an explanation here."""

import logging
from email import message_from_bytes
from pathlib import Path

import pytest
from flufl.bounce import all_failures

from handlers.parse import parse
from handlers.words import Action, Kind

HERE = Path(__file__).parent
MAILS = sorted(HERE.glob("*/*.eml"))


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


LANGUAGES = [name(path) for path in MAILS if path.stem.startswith("failure-")]
ONLY_FLUFL = {
    "chasquid/lab-two-failed": "it takes the comma at the end of X-Failed-Recipients for an address",
    "exim/lab-envid-orcpt": "it leaves the xtext of Original-Recipient (RFC 3461 4) encoded",
    "other/person-forwards-bounce": "it reads a report inside a message that a person forwards",
    "rfc3464/nameless-recipient": "it takes a Final-Recipient without a local part",
    "ses/sns-bounce": "it splits JSON at white space",
    "zoho/error-code": "it keeps the bracket before the address",
}
_NO_DETECTOR = "it has no detector for this wording"
ONLY_OURS = {
    "exchange/html-only": "it reads no HTML",
    "rfc3464/base64-status-part": "it does not decode a delivery-status part",
    "rfc3464/hostile-fields": "it wants a known Action",
    "rfc3464/lost-its-parts": "it wants the fields in a part of their own",
    "rfc3464/missing-blank-lines": "it takes the last of several recipients without an empty line between",
    "rfc3464/multipart-mixed-no-boundary-end": "it wants multipart/report",
    "rfc3464/nameless-recipient": "it does not look for the address in the text",
    "rfc3464/utf8-recipient": "it does not know RFC 6533",
    "ses/sns-bounce": "it reads no JSON",
    "zoho/error-code": "it keeps the bracket before the address",
    "slimta/lab-names-nobody": "it wants a Final-Recipient",
    "mdaemon/several": _NO_DETECTOR,
    "odd/bare-lf-nul": "it wants the words of qmail around",
    "odd/no-header-separator": "it finds no body",
    "odd/wrong-charset": _NO_DETECTOR,
    "exim/malformed-address": _NO_DETECTOR,
    "sendmail/lab-text-delay": _NO_DETECTOR,
    "sendmail/v5-hosts": _NO_DETECTOR,
    "sendmail/v5-transcript": _NO_DETECTOR,
    "postfix/text-only": "it reads Postfix in multipart mails only",
    "exim/lab-envid-orcpt": "it prefers Original-Recipient; ours has that as original_recipient",
    "courier/text": _NO_DETECTOR,
    "dma/error": _NO_DETECTOR,
    "exchange/ndr-nl": _NO_DETECTOR,
    "gmx/quoted": _NO_DETECTOR,
    "held/ndr-that-quotes-hold-words": _NO_DETECTOR,
    "interscan/sent-received": _NO_DETECTOR,
    "james/mixed": _NO_DETECTOR,
    "kddi/rejected": _NO_DETECTOR,
    "mailmarshal/affected": _NO_DETECTOR,
    "messagingserver/two": _NO_DETECTOR,
    "mfilter/ja": _NO_DETECTOR,
} | dict.fromkeys(LANGUAGES, _NO_DETECTOR)


def theirs(raw: bytes) -> set[str]:
    logging.disable(logging.CRITICAL)  # its detectors log their own exceptions
    try:
        temporary, permanent = all_failures(message_from_bytes(raw))
    finally:
        logging.disable(logging.NOTSET)
    return {a.decode("utf-8", "replace").lower() for a in temporary | permanent}


def ours(raw: bytes) -> list[set[str]]:
    """The addresses of each recipient that failed or waits: the one sent to, and the one mailed."""
    report = parse(raw)
    if report.kind not in {Kind.FAILURE, Kind.DELAY}:
        return []
    bad = [one for one in report.recipients if one.action in {Action.FAILED, Action.DELAYED, None}]
    return [{a.lower() for a in (one.final_recipient, one.original_recipient) if a} for one in bad]


@pytest.mark.parametrize("path", MAILS, ids=name)
def test_differences_are_explained(path: Path) -> None:
    raw = path.read_bytes()
    try:
        found = theirs(raw)
    except (RecursionError, IndexError):  # Python's parser on deep nesting, its detectors on a mail without fields
        assert name(path) in {"odd/deep", "odd/empty"}
        return
    us = ours(raw)
    assert bool(found - set().union(*us)) == (name(path) in ONLY_FLUFL), found
    assert any(not one & found for one in us) == (name(path) in ONLY_OURS), found
