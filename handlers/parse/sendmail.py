"""The session that sendmail and its kin print ("Transcript of session follows"): which reply met which recipient.

">>>" is what was sent, "<<<" what came back; a line that names a recipient closes the account of him.
"""

import re

MARK = "ranscript of session follows"
_LINES = 4000  # of a transcript that are read
_NAMED = re.compile(r"(?:[245]\d\d[ -](?:[245]\.\d{1,3}\.\d{1,3} )?)?<?([^\s<>]{1,200}@[^\s<>]{1,255}?)>?\.\.\.")
_RCPT = re.compile(r">>>\s?RCPT TO:\s?<([^<>\s]{1,300})>", re.IGNORECASE)


def replies(text: str) -> dict[str, str]:
    """Lower-case address -> the words of the transcript about it, the remote's reply first."""
    at = text.find(MARK)
    if at < 0:
        return {}
    found: dict[str, str] = {}
    reply: list[str] = []
    asked = ""
    for line in text[at:].split("\n", _LINES)[1:_LINES]:
        line = line.strip()
        rcpt = _RCPT.match(line)
        if line.startswith((">>>", "... while")):
            reply, asked = [], rcpt[1].lower() if rcpt else ""
        elif line.startswith("<<<"):
            reply.append(line[3:].strip())
            if asked:
                found[asked] = " ".join(reply)
        else:
            _close(line, reply, found)
    return found


def _close(line: str, reply: list[str], found: dict[str, str]) -> None:
    """A line "550 5.1.1 <a@b>... User unknown" or "<a@b>... Deferred: ..."."""
    named = _NAMED.match(line)
    if named is None:
        return
    key = named[1].lower()
    words = [*reply, line]
    if key not in found:
        found[key] = " ".join(words)
    elif line not in found[key]:
        found[key] += " " + line
