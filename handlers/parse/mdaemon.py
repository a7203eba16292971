"""The session that MDaemon prints ("--- Session Transcript ---"): which recipient met which reply.

Behind a time, "-->" is what was sent and "<--" what came back; what refuses the message met all whom it was for.
"""

import re

MARK = "ession Transcript"
_LINES = 4000  # of a transcript that are read
_TURN = re.compile(r"(-->|<--) ?(\S.*)")
_RCPT = re.compile(r"RCPT TO:\s?<([^<>\s]{1,300})>", re.IGNORECASE)
_REFUSAL = re.compile(r"[45]\d\d[ -]")


def replies(text: str) -> dict[str, str]:
    """Lower-case address -> the replies that refused it."""
    at = text.find(MARK)
    if at < 0:
        return {}
    found: dict[str, str] = {}
    asked, accepted = "", list[str]()
    for line in text[at:].split("\n", _LINES)[1:_LINES]:
        turn = _TURN.search(line)
        if turn is None:
            continue
        said = turn[2].strip()
        if turn[1] == "-->":
            rcpt = _RCPT.match(said)
            asked = rcpt[1].lower() if rcpt else ""
            accepted = [] if said[:5].upper() == "MAIL " else accepted
        elif _REFUSAL.match(said):
            for key in [asked] if asked else accepted:
                found[key] = f"{found.get(key, '')} {said}".strip()
        elif asked:
            accepted.append(asked)
    return found
