"""Recipients out of a text notice of no known dialect."""

import re

from handlers.parse import reply
from handlers.parse.notice import Notice
from handlers.report import RecipientStatus
from handlers.words import Action, Kind

_BULLET = re.compile(r"^[\s>*•·\-–<'\"(\[]*$")
ACTIONS = {Kind.FAILURE: Action.FAILED, Kind.DELAY: Action.DELAYED, Kind.SUCCESS: Action.DELIVERED}


def recipients(notice: Notice, kind: Kind) -> list[RecipientStatus]:
    """Addresses that lead a line, else those the notice names at all; with the words behind each."""
    text = notice.text
    foreign = [a for a in notice.addresses if a[2].lower() not in notice.own_addresses]
    leading = [a for a in foreign if _BULLET.match(text[text.rfind("\n", 0, a[0]) + 1 : a[0]])]
    chosen = leading or foreign[:1]
    failed = notice.header("x-failed-recipients")
    out: dict[str, RecipientStatus] = {}
    for index, (_, end, address) in enumerate(chosen):
        stop = chosen[index + 1][0] if index + 1 < len(chosen) else len(text)
        words = " ".join(text[end:stop].strip(" >:\n\t").split())[:2000]
        out.setdefault(address.lower(), one(address, words, kind))
    if failed:
        for address in failed.split(","):
            bare = address.strip(" <>")
            if bare and bare.lower() not in out:
                out[bare.lower()] = one(bare, "", kind)
    return list(out.values())


def one(address: str, words: str, kind: Kind) -> RecipientStatus:
    code, status = reply.read(words)
    return RecipientStatus(
        final_recipient=address,
        action=ACTIONS.get(kind),
        status=status,
        smtp_code=code,
        diagnostic_code=words or None,
    )
