"""The step of the SMTP dialogue that was refused, as notices and wrapped replies tell it."""

import re

from handlers.folding import MAX_TEXT

# "(in reply to end of DATA command)" of Postfix, "after RCPT TO:<...>" of Exim, ">>> DATA" before "<<< 550" of sendmail
# and Courier, "most progress was RCPT TO" and others of qmail, "did not like our RCPT TO" of DragonFly, "rejected
# command 'RCPT TO:" of Stalwart, "(after RCPT TO)" of Momentum, "sent: RCPT TO:" of hMailServer, "RCPT TO: 550" of
# chasquid, "--> RCPT To:" before "<-- 550" of MDaemon.
_COMMANDS = {
    "end of data": "end", "final data": "end", "sending data block": "end", "data closing": "end",
    "data": "data", "rcpt": "rcpt",
    "mail from": "mail", "ehlo": "helo", "helo": "helo", "initial connection": "connect",
}  # fmt: skip
# What servers say of one step only, or where they are sure that it is the address that is
# wrong. Gmail once numbered them; Cisco ESA has one phrase for RCPT, one for the rest.
_AT_A_STEP = {
    "refused to talk to me": "connect", "but greeting failed": "connect", "but sender was rejected": "mail",
    "does not like recipient": "rcpt", "permanent failure for one or more recipients (": "rcpt", "[rcpt_to]": "rcpt",
    "failed on data command": "data", "failed after i sent the message": "end",
    "unknown address error 5": "rcpt", "other mail system problem 5": "end",
    "unknown address error 4": "rcpt", "other mail system problem 4": "end", "rejected transaction with code": "end",
    "address couldn't be found": "rcpt", "address you entered couldn't be found": "rcpt", "wasn't found at": "rcpt",
    "(state 14)": "rcpt", "(state 17)": "end", "(state 18)": "end",
}  # fmt: skip
_PHASE = re.compile(
    # sendmail pipelines: a refused RCPT stands behind DATA, where a reply without status is a bad address to it
    r"(?P<address>>>> ?data\n<<< 55\d(?! 5\.)[^\n]{0,600}\n(?:<<< [^\n]{0,600}\n){0,8}?55\d 5\.1\.[136] <)"
    r"|(?P<straight>>:\n {0,4}<<< 55\d[ -])"  # Courier's local delivery: a reply to the address, and to no command
    rf"|(?<!\w)--> ?(?P<asked>{'|'.join(_COMMANDS)})\b[^\n]{{0,400}}\n[^\n]{{0,80}}<-- ?[45]\d\d"
    rf"|(?:\A|\n) {{0,8}}(?P<before>{'|'.join(_COMMANDS)})(?: to)?: ?[45]\d\d "
    r"|(?:in reply to (?:the )?|rejected command '|server sent: |\(after "
    r"|(?:mail|remote) server (?:after|for) (?:pipelined )?|smtp command:? |most progress was |smtp:"
    rf"|did not like our |>>> ?)(?P<command>{'|'.join(_COMMANDS)})\b(?!.{{0,1000}}?>>> ?(?:data|rcpt))"
    rf"|(?P<words>{'|'.join(map(re.escape, _AT_A_STEP))})",
    re.DOTALL,
)
_PHASE_MARKS = (
    ">>>", "<<<", "-->", "in reply to", "rejected command", "rejected transaction", "sent: ", "(after ", "rcpt to: ",
    "data: ", "data closing: ", "mail from: ", "server after", "server for", "smtp command", "most progress", "smtp:",
    "did not like", "talk to me", "greeting failed", "sender was", "like recipient", "or more recipients", "[rcpt_to]",
    "failed on", "i sent", "address error", "system problem", "(state 1", "n't be found", "wasn't found",
)  # fmt: skip
_MARKED = re.compile("|".join(map(re.escape, _PHASE_MARKS)))  # in a tenth of the other's time


def phase_in(text: str) -> str | None:
    """The step, one of rule.PHASES, that `text` tells; None where it tells none."""
    text = text[:MAX_TEXT].lower()
    found = _PHASE.search(text) if _MARKED.search(text) else None
    if not found:
        return None
    if found["address"] or found["straight"]:
        return "rcpt"
    command = found["command"] or found["asked"] or found["before"]
    return _COMMANDS[command] if command else _AT_A_STEP[found["words"]]
