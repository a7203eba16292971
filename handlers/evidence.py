"""What a report knows of one recipient's failure: the reply, the notice's own words, status, code, phase, host."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from handlers.folding import MAX_TEXT, fold, words_of
from handlers.phase import phase_in
from handlers.report import RecipientStatus, Report
from handlers.rule import Provider, Rule

# Details of a status that nobody fills in by default.
CLEAR = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.2", "2.3", "3.4", "4.6", "7.20", "7.23", "7.25", "7.26"})
# Details that name no case: "other" of each subject (RFC 3463 3), and "not authorized", which many send for anything.
VAGUE = frozenset({"", "0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "7.1"})
# An outer server's own words around the reply that it got (Cisco, Exchange, Barracuda, Postfix, Exim, qmail, Gmail,
# slimta).
_WRAPPERS = re.compile(
    r"(?:Unknown address error|Other mail system problem) \d{3} ?-? ?'"
    r"|Remote server returned .{0,80}?->"
    r"|permanent failure for one or more recipients \([^():\s]{1,320}:(?=\d{3})"
    r"|refused to talk to me:|Remote host said:"
    r"|\b(?:remote|destination|receiving|recipient|target|other) (?:mail |smtp )?(?:host|server|mta|system|side)"
    r" (?:responded|replied|answered|returned|reported|said)(?: with)?:"
    r"|\b(?:reply|response|answer|error) from (?:the )?(?:\w{1,20} ){0,2}(?:host|server)(?: was)?:"
    r"|(?:response from the remote server|the other server returned) was:"
    r"|\bhost \S{1,255} ?(?:\[[^\]\s]{1,80}\])? said:"
    r"|mail server after .{0,400}?: host \S{1,255} ?(?:\[[^\]\s]{1,80}\])?:",
    re.IGNORECASE,
)

_MARKS = (  # one stands in every wrapper
    "-'", "->", "recipients (", " said:", " was:", "to me:", "server after", "ponded:", "plied:", "wered:", "turned:",
    "ported:", " with:", "server:", "host:",
)  # fmt: skip
_BOILERPLATE = re.compile(  # said in every notice: of a step (Cisco), of what often is the cause (maddy)
    r"Unknown address error|Other mail system problem"
    r"|(?:usual|common|frequent|typical) cause[^.:]{0,300}\.(?!\S)"
)
_IN_BOILERPLATE = ("address error", "system problem", " cause")  # one stands in each

REPLIES = 192 * 1024  # characters of a report's replies that are read at length; 700 lines of RFC 5321 4.5.3.1.5
SHORT = 160  # and of each reply after those


def _without_boilerplate(text: str) -> str:
    return _BOILERPLATE.sub(" ", text) if any(mark in text for mark in _IN_BOILERPLATE) else text


def unwrapped(reply: str) -> list[str]:
    """The reply inside of other servers' words first, then with what stood before it; or just the reply."""
    if not any(mark in reply for mark in _MARKS):
        return [reply]
    wrappers = list(_WRAPPERS.finditer(reply))
    if not wrappers or not reply[wrappers[-1].end() :].strip():
        return [reply]
    before, inner = reply[: wrappers[0].start()], reply[wrappers[-1].end() :]
    if wrappers[0][0].endswith("->"):  # Exchange Online says in its own words what it makes of the reply
        return [inner, reply]
    return [inner, before + inner] if before else [inner]


@dataclass(slots=True)
class Text:
    """Folded text with its words."""

    folded: str
    words: frozenset[str]
    reply: bool  # what the remote said; otherwise the notice's own words
    squeezed: str = ""  # without spaces, where it was folded mid-word
    # of a text that is asked about many recipients: clause -> what it matched, and the clauses worth a try
    spans: dict[int, str] | None = None
    found: set[int] | None = None

    @classmethod
    def of(cls, text: str, reply: bool, folded_mid_word: bool = False) -> "Text":
        folded = fold(text)
        return cls(folded, words_of(folded), reply, folded.replace(" ", "") if folded_mid_word else "")


_NAME = re.compile(r"[^\s<>()\[\]{},;:\"]+")  # an address, or whatever else stands between spaces and brackets


Key = tuple[object, ...]


@dataclass(slots=True)
class Notice:
    """The notice's own words, and each recipient's share of them."""

    text: str
    shares: dict[
        str, str
    ]  # final_recipient -> from each place that names it to the next name; {} where nobody is named
    left: int = REPLIES
    _read: dict[str, Text] = field(default_factory=dict)
    _phases: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, report: Report) -> "Notice":
        """Reads the text once, however many recipients there are."""
        text, recipients = report.text, report.recipients
        if len(recipients) < 2:
            return cls(text, {})
        owners = {r.original_recipient: r.final_recipient for r in recipients if r.original_recipient}
        owners |= {r.final_recipient: r.final_recipient for r in recipients}
        places: list[tuple[int, str]] = []
        for found in _NAME.finditer(text):
            owner = owners.get(found[0]) or owners.get(found[0].rstrip("."))
            if owner:
                places.append((found.start(), owner))
        shares: dict[str, list[str]] = {}
        for number, (start, owner) in enumerate(places):
            end = places[number + 1][0] if number + 1 < len(places) else len(text)
            shares.setdefault(owner, []).append(text[start:end])
        return cls(text, {owner: "\n".join(pieces) for owner, pieces in shares.items()})

    def about(self, address: str) -> str:
        """One recipient's share; everything where nobody is named, nothing where only others are."""
        return self.shares.get(address, "") if self.shares else self.text

    def read(self, share: str) -> Text:
        """What about() gave, folded: once, as thousands of recipients may have the same."""
        if share not in self._read:
            self._read[share] = Text.of(_without_boilerplate(share), reply=False)
            self._read[share].spans = {}
        return self._read[share]

    def allow(self, reply: str | None) -> int:
        """How many characters of a reply are read. Nobody writes thousands of long ones but to keep us busy."""
        length = MAX_TEXT if self.left > 0 else SHORT
        self.left -= min(length, len(reply or ""))
        return length

    def phase_in(self, words: str) -> str | None:
        """The step that `words` tell: looked for once, and only where a rule asks."""
        if words not in self._phases:
            self._phases[words] = phase_in(words)
        return self._phases[words]


@dataclass(slots=True)
class Evidence:
    """What is known of one recipient."""

    report: Report
    notice: Notice
    recipient: RecipientStatus
    status: str  # "" where there is none, as for code
    code: str
    length: int = MAX_TEXT  # of the reply, as far as it is read

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
            for text in unwrapped(reply[: self.length]):
                yield Text.of(text, reply=True, folded_mid_word=kind == "x-notes")
        # a Status field that names the case is better than a notice's own words, which may be anything
        notice = "" if self._has_clear_field() else self.notice.about(self.recipient.final_recipient)
        if notice:
            yield self.notice.read(notice)

    def _has_clear_field(self) -> bool:
        return self.recipient.status_field is not None and self.status[2:] in CLEAR

    def key(self) -> Key:
        """What the verdict hangs on: two recipients of a report with the same key get the same one.

        Their own addresses are no evidence, but for the domain where no host is named, so they count as alike.
        """
        own, kind = self.recipient, self.recipient.diagnostic_type
        reply, notice = own.diagnostic_code or "", self.notice.about(own.final_recipient)
        for name in (own.final_recipient, own.original_recipient):
            if name and "@" in name:
                reply, notice = reply.replace(name, "@"), notice.replace(name, "@")
        return (own.action, self.status, own.status_field, self.code, kind, self._host(), self.is_own(), reply, notice)

    def phase(self) -> str | None:
        """The step of the SMTP dialogue that was refused, one of rule.PHASES, where the notice tells it."""
        notice = self.notice
        places = (self.recipient.diagnostic_code or "", notice.about(self.recipient.final_recipient), notice.text)
        return next(filter(None, map(notice.phase_in, places)), None)

    def _host(self) -> str:
        """Who answered; where that is not told, whoever takes mail for the domain."""
        own = self.recipient
        host = own.remote_mta or own.final_recipient.rpartition("@")[2]
        return host.lower().partition(" ")[0].rstrip(".")

    def is_from(self, provider: Provider, words: frozenset[str]) -> bool:
        """Whether `provider` answered: by the host that did, or by a word that ends its replies."""
        hosts = [self._host()]
        if not self.recipient.remote_mta and self.report.reporting_mta:
            hosts.append(self.report.reporting_mta.lower().partition(" ")[0].rstrip("."))
        return any(f".{host}".endswith(f".{name}") for host in hosts for name in provider.hosts) or any(
            mark in words for mark in provider.marks
        )

    def is_own(self) -> bool:
        """Whether the recipient's own domain reports: what has no route there is a mailbox."""
        domain = self.recipient.final_recipient.rpartition("@")[2].lower()
        host = (self.report.reporting_mta or "").lower().rstrip(".")
        sender = self.report.from_.lower().rpartition("@")[2].rstrip("> ")
        return bool(domain) and (sender == domain or f".{host}".endswith(f".{domain}"))

    def fits(self, rule: Rule) -> bool:
        """Whether status and reply code are those of `rule`."""
        status, code = self.status, self.code
        if rule.status and (status or "none") not in rule.status and f"x{status[1:]}" not in rule.status:
            return False
        return not rule.codes or code in rule.codes or f"{code[:1]}xx" in rule.codes

    def comes_from(self, rule: Rule, provider: Provider | None, words: frozenset[str]) -> bool:
        """Whether the host, the phase and the form of the reply are those of `rule`."""
        if provider and not self.is_from(provider, words):
            return False
        if rule.names_address is not None and rule.names_address is not ("@" in (self.recipient.diagnostic_code or "")):
            return False
        if rule.own and not self.is_own():
            return False
        return not rule.phases or (self.phase() or "unknown") in rule.phases
