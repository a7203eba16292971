"""What a report knows of one recipient's failure: the reply, the notice's own words, status, code, phase, host."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from handlers.folding import MAX_TEXT, fold, words_of
from handlers.report import RecipientStatus, Report
from handlers.rule import Provider, Rule

# Details of a status that nobody fills in by default.
CLEAR = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.2", "2.3", "3.4", "4.6", "7.20", "7.23", "7.25", "7.26"})
# "(in reply to end of DATA command)" of Postfix, "after RCPT TO:<...>" of Exim, ">>> DATA" before "<<< 550" of
# sendmail and Courier; Cisco ESA says "Unknown address error" of RCPT and "Other mail system problem" of the rest.
_PHASE = re.compile(
    r"(?:in reply to (?:the )?|mail server after (?:pipelined )?|smtp command:? |>>> ?)"
    r"(?P<command>end of data|initial connection|rcpt to|mail from|data|ehlo|helo|sending data block)"
    r"(?!.{0,1000}?>>> ?(?:data|rcpt))"
    r"|(?P<ironport>unknown address error|other mail system problem) \d{3}",
    re.DOTALL,
)
_PHASE_MARKS = (">>>", "in reply to", "server after", "smtp command", "unknown address error", "system problem")
_PHASES = {
    "end of data": "end", "sending data block": "end", "data": "data", "rcpt to": "rcpt", "mail from": "mail",
    "ehlo": "helo", "helo": "helo", "initial connection": "connect",
    "unknown address error": "rcpt", "other mail system problem": "end",
}  # fmt: skip
# An outer server's own words around the reply that it got (Cisco ESA, Exchange, Barracuda, Postfix, Exim).
_WRAPPERS = re.compile(
    r"(?:Unknown address error|Other mail system problem) \d{3} ?-? ?'"
    r"|Remote server returned .{0,80}?->"
    r"|permanent failure for one or more recipients \([^():\s]{1,320}:(?=\d{3})"
    r"|refused to talk to me:"
    r"|\bhost \S{1,255} ?(?:\[[^\]\s]{1,80}\])? said:"
    r"|mail server after .{0,400}?: host \S{1,255} ?(?:\[[^\]\s]{1,80}\])?:",
    re.IGNORECASE,
)


_MARKS = ("-'", "->", "recipients (", " said:", "to me:", "server after")  # one stands in every wrapper


def unwrapped(reply: str) -> list[str]:
    """The reply inside of other servers' words first, then with what stood before it; or just the reply."""
    reply = reply[:MAX_TEXT]
    if not any(mark in reply for mark in _MARKS):
        return [reply]
    wrappers = list(_WRAPPERS.finditer(reply))
    if not wrappers or not reply[wrappers[-1].end() :].strip():
        return [reply]
    before, inner = reply[: wrappers[0].start()], reply[wrappers[-1].end() :]
    return [inner, before + inner] if before else [inner]


@dataclass(slots=True)
class Text:
    """Folded text with its words."""

    folded: str
    words: frozenset[str]
    reply: bool  # what the remote said; otherwise the notice's own words
    squeezed: str = ""  # without spaces, where it was folded mid-word

    @classmethod
    def of(cls, text: str, reply: bool, folded_mid_word: bool = False) -> "Text":
        folded = fold(text)
        return cls(folded, words_of(folded), reply, folded.replace(" ", "") if folded_mid_word else "")


@dataclass(slots=True)
class Notice:
    """The notice's own words, and where each recipient's piece of them begins."""

    text: str
    starts: dict[str, int]  # final_recipient -> place; empty where there is one recipient
    order: list[int]

    @classmethod
    def of(cls, report: Report) -> "Notice":
        if len(report.recipients) < 2:
            return cls(report.text, {}, [])
        starts = {}
        for recipient in report.recipients:
            for name in (recipient.final_recipient, recipient.original_recipient):
                place = report.text.find(name) if name else -1
                if place >= 0:
                    starts[recipient.final_recipient] = place
                    break
        return cls(report.text, starts, sorted(set(starts.values())))

    def about(self, address: str) -> str:
        """The piece on one recipient, up to the next one; everything where nobody is named."""
        if not self.starts:
            return self.text
        start = self.starts.get(address)
        if start is None:
            return ""
        following = bisect_right(self.order, start)
        return self.text[start : self.order[following]] if following < len(self.order) else self.text[start:]


@dataclass(slots=True)
class Evidence:
    """What is known of one recipient."""

    report: Report
    notice: Notice
    recipient: RecipientStatus
    status: str  # "" where there is none, as for code
    code: str

    @classmethod
    def of(cls, report: Report, notice: Notice, recipient: RecipientStatus) -> "Evidence":
        code = "" if recipient.smtp_code is None else str(recipient.smtp_code)
        return cls(report, notice, recipient, recipient.status or "", code)

    @property
    def temporary(self) -> bool | None:
        """By status and reply code; where they disagree one 4 is enough (the server would take it later)."""
        classes = {self.status[:1], self.code[:1]}
        return "4" in classes if classes & {"4", "5"} else None

    def texts(self) -> Iterator[Text]:
        """What can be read: the reply, without another server's words around it; then the notice's own words."""
        reply, kind = self.recipient.diagnostic_code or "", (self.recipient.diagnostic_type or "").lower()
        if kind == "x-unix" and reply.isdigit():  # Postfix and sendmail: how the program ended
            reply = f"exit status {reply}"
        if reply and (kind or self.code or not self._has_clear_field()):
            for text in unwrapped(reply):
                yield Text.of(text, reply=True, folded_mid_word=kind == "x-notes")
        # a Status field that names the case is better than a notice's own words, which may be anything
        notice = "" if self._has_clear_field() else self.notice.about(self.recipient.final_recipient)
        if notice:
            yield Text.of(notice, reply=False)

    def _has_clear_field(self) -> bool:
        return self.recipient.status_field is not None and self.status[2:] in CLEAR

    def phase(self) -> str | None:
        """The step of the SMTP dialogue that was refused, one of rule.PHASES, where the notice tells it."""
        for text in (self.recipient.diagnostic_code or "", self.report.text):
            text = text[:MAX_TEXT].lower()
            found = _PHASE.search(text) if any(mark in text for mark in _PHASE_MARKS) else None
            if found:
                return _PHASES[found["command"] or found["ironport"]]
        return None

    def is_from(self, provider: Provider, words: frozenset[str]) -> bool:
        """Whether `provider` answered: by the host that did, or by a word that ends its replies."""
        host = (self.recipient.remote_mta or self.report.reporting_mta or "").lower().partition(" ")[0].rstrip(".")
        return any(host == name or host.endswith("." + name) for name in provider.hosts) or any(
            mark in words for mark in provider.marks
        )

    def fits(self, rule: Rule) -> bool:
        """Whether status and reply code are those of `rule`."""
        status, code = self.status, self.code
        if rule.status and status not in rule.status and f"x{status[1:]}" not in rule.status:
            return False
        return not rule.codes or code in rule.codes or f"{code[:1]}xx" in rule.codes

    def comes_from(self, rule: Rule, provider: Provider | None, words: frozenset[str]) -> bool:
        """Whether the host, the phase and the form of the reply are those of `rule`."""
        if provider and not self.is_from(provider, words):
            return False
        if rule.names_address is not None and rule.names_address is not ("@" in (self.recipient.diagnostic_code or "")):
            return False
        return not rule.phases or self.phase() in rule.phases
