"""The step classify: what a reply, or a notice's own words, mean. Pure; the knowledge is in handlers/rules/.

Asked in this order, and the first that answers wins: rules with words over the recipient's reply, the same rules
over the notice's text, the status (RFC 3463), the reply code (RFC 5321 4.2), the guess.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from handlers.bounce import Verdict
from handlers.guess import Guesser
from handlers.phrases import MAX_TEXT, fold, words_of
from handlers.profiles import table
from handlers.report import RecipientStatus, Report
from handlers.ruleset import Example, Provider, Rule, Ruleset
from handlers.words import Action, BounceType, Category, Kind, Profile, Reason

BOUNCES = (Kind.FAILURE, Kind.DELAY)
ARRIVED = (Action.DELIVERED, Action.RELAYED, Action.EXPANDED)
# "(in reply to end of DATA command)" of Postfix, "after RCPT TO:<...>" of Exim, ">>> DATA" before "<<< 550" of
# sendmail and Courier; Cisco ESA says "Unknown address error" of RCPT and "Other mail system problem" of the rest
_PHASE = re.compile(
    r"(?:in reply to (?:the )?|mail server after (?:pipelined )?|smtp command:? |>>> ?)"
    r"(?P<command>end of data|initial connection|rcpt to|mail from|data|ehlo|helo|sending data block)"
    r"(?!.{0,1000}?>>> ?(?:data|rcpt))"
    r"|(?P<ironport>unknown address error|other mail system problem) \d{3}",
    re.IGNORECASE | re.DOTALL,
)
_PHASES = {
    "end of data": "end", "sending data block": "end", "data": "data", "rcpt to": "rcpt", "mail from": "mail",
    "ehlo": "helo", "helo": "helo", "initial connection": "connect",
    "unknown address error": "rcpt", "other mail system problem": "end",
}  # fmt: skip


# details of a status that nobody fills in by default
CLEAR = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.2", "2.3", "3.4", "4.6", "7.20", "7.23", "7.25", "7.26"})
# An outer server's own words around the reply that it got (Cisco ESA, Exchange, Barracuda, Postfix, Exim)
_WRAPPERS = re.compile(
    r"(?:Unknown address error|Other mail system problem) \d{3} ?-? ?'"
    r"|Remote server returned .{0,80}?->"
    r"|permanent failure for one or more recipients \([^():\s]{1,320}:(?=\d{3})"
    r"|refused to talk to me:"
    r"|\bhost \S{1,255} ?(?:\[[^\]\s]{1,80}\])? said:"
    r"|mail server after .{0,400}?: host \S{1,255} ?(?:\[[^\]\s]{1,80}\])?:",
    re.IGNORECASE,
)


def unwrapped(reply: str) -> list[str]:
    """The reply inside of other servers' words first, then with what stood before it; or just the reply."""
    reply = reply[:MAX_TEXT]
    wrappers = list(_WRAPPERS.finditer(reply))
    if not wrappers or not reply[wrappers[-1].end() :].strip():
        return [reply]
    before, inner = reply[: wrappers[0].start()], reply[wrappers[-1].end() :]
    return [inner, before + inner] if before else [inner]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a recipient got its verdict, for people."""

    verdict: Verdict
    reply: str  # the folded text that the rules were asked about
    notice: str  # the folded words of the notice, where they were asked
    status: str | None
    smtp_code: int | None
    tried: tuple[tuple[str, str], ...]  # every rule that was tried, in order: id, and the span it matched or ""

    @property
    def nearly(self) -> tuple[tuple[str, str], ...]:
        """The rules that matched as well, and lost because they come later."""
        return tuple((rule, span) for rule, span in self.tried if span and rule != self.verdict.rule)


@dataclass(frozen=True, slots=True)
class _Text:
    """Folded text with its words."""

    folded: str
    words: set[str]
    reply: bool  # what the remote said; otherwise the notice's own words
    squeezed: str = ""  # without spaces, where it was folded mid-word

    @classmethod
    def of(cls, text: str, reply: bool, folded_mid_word: bool = False) -> "_Text":
        folded = fold(text)
        return cls(folded, words_of(folded), reply, folded.replace(" ", "") if folded_mid_word else "")

    def squeezed_span(self, rule: Rule) -> str:
        return next((piece for piece in rule.squeezed if self.squeezed and piece in self.squeezed), "")


_NO_TEXT = _Text("", set(), reply=True)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What is known of one recipient."""

    report: Report
    recipient: RecipientStatus
    status: str | None
    code: str | None

    @classmethod
    def of(cls, report: Report, recipient: RecipientStatus) -> "_Evidence":
        code = None if recipient.smtp_code is None else str(recipient.smtp_code)
        return cls(report, recipient, recipient.status, code)

    @property
    def temporary(self) -> bool | None:
        """By status and reply code; where they disagree one 4 is enough (the server would take it later)."""
        classes = {value[0] for value in (self.status, self.code) if value}
        return "4" in classes if classes & {"4", "5"} else None

    def texts(self) -> Iterator[_Text]:
        """What can be read: the reply, without another server's words around it; then the notice's own words."""
        reply, kind = self.recipient.diagnostic_code or "", (self.recipient.diagnostic_type or "").lower()
        if kind == "x-unix" and reply.isdigit():  # Postfix and sendmail: how the program ended
            reply = f"exit status {reply}"
        if reply and (kind or self.code or not self._has_clear_field()):
            for text in unwrapped(reply):
                yield _Text.of(text, reply=True, folded_mid_word=kind == "x-notes")
        notice = self._notice()
        if notice:
            yield _Text.of(notice, reply=False)

    def _notice(self) -> str:
        """The notice's words on this recipient: up to the next one, where it speaks of several."""
        if self._has_clear_field():
            return ""
        text, address = self.report.text, self.recipient.final_recipient
        others = [r.final_recipient for r in self.report.recipients if r.final_recipient != address]
        start = text.find(address) if address else -1
        if not others or start < 0:
            return text
        ends = [end for end in (text.find(other, start) for other in others if other) if end > 0]
        return text[start : min(ends, default=len(text))]

    def _has_clear_field(self) -> bool:
        """A Status field that names the case is better than a notice's own words, which may be anything."""
        return self.recipient.status_field is not None and (self.status or "")[2:] in CLEAR

    def phase(self) -> str | None:
        for text in (self.recipient.diagnostic_code or "", self.report.text):
            found = _PHASE.search(text)
            if found:
                return _PHASES[(found["command"] or found["ironport"]).lower()]
        return None

    def is_from(self, provider: Provider, words: set[str]) -> bool:
        host = (self.recipient.remote_mta or self.report.reporting_mta or "").lower().partition(" ")[0].rstrip(".")
        return any(host == name or host.endswith("." + name) for name in provider.hosts) or any(
            mark in words for mark in provider.marks
        )

    def names_address(self) -> bool:
        return "@" in (self.recipient.diagnostic_code or "")


@dataclass(frozen=True, slots=True)
class _Hit:
    rule: Rule
    span: str


class Classifier:
    """Judges reports by one ruleset and one profile. Picklable; keeps no state between calls but compiled rules."""

    def __init__(self, ruleset: Ruleset, profile: Profile = Profile.HUBSPOT) -> None:
        self._ruleset = ruleset
        self._profile = profile
        self._table = table(profile)
        self._guesser = Guesser.load()
        self._regex: dict[int, re.Pattern[str]] = {}

    def classify(self, report: Report) -> tuple[Verdict, ...]:
        """One verdict for each of report.recipients, in order."""
        return tuple(self._verdict(report, recipient) for recipient in report.recipients)

    def explain(self, report: Report) -> tuple[Explanation, ...]:
        """As classify(), with everything that was tried."""
        return tuple(self._explain(report, recipient) for recipient in report.recipients)

    def judge(self, example: Example) -> Verdict:
        """The verdict on a bare reply, as a failure."""
        return self.classify(as_report(example))[0]

    def _verdict(self, report: Report, recipient: RecipientStatus) -> Verdict:
        if report.kind not in BOUNCES and report.kind is not Kind.SUCCESS:
            return _no_bounce("no_bounce")
        if recipient.action in ARRIVED or (report.kind is Kind.SUCCESS and recipient.action is None):
            return _no_bounce("delivered")
        evidence = _Evidence.of(report, recipient)
        hits = self._hits(evidence)
        hit = next(hits, None)
        if hit is None:
            return self._guess(evidence)
        runner_up = next((other.rule.id for other in hits if other.rule.id != hit.rule.id), None)
        return self._as_verdict(evidence, hit.rule.reason, hit.rule.id, hit, runner_up)

    def _guess(self, evidence: _Evidence) -> Verdict:
        text = next(evidence.texts(), None)
        guess = self._guesser.guess(text.folded) if text else None
        if guess is None:
            return self._as_verdict(evidence, Reason.UNKNOWN, "none")
        reason, confidence = guess
        return self._as_verdict(evidence, reason, "guess", confidence=confidence, guess=True)

    def _as_verdict(
        self, evidence: _Evidence, reason: Reason, rule: str, hit: _Hit | None = None,
        runner_up: str | None = None, confidence: float = 1.0, guess: bool = False,
    ) -> Verdict:  # fmt: skip
        permanent = hit.rule.permanent if hit else None
        if permanent is None:
            temporary = evidence.temporary
            # a notice that says no code has given up for good, if it says why
            permanent = reason is not Reason.UNKNOWN if temporary is None else not temporary
        row = self._table[reason]
        effect = row.permanent if permanent else row.temporary
        delayed = evidence.recipient.action is Action.DELAYED or (
            evidence.report.kind is Kind.DELAY and evidence.recipient.action is None
        )
        if delayed:
            effect = row.temporary
        type_ = BounceType.PENDING if delayed else effect.type
        span = hit.span if hit else ""
        return Verdict(reason, type_, effect.category, rule, span, confidence, guess, runner_up)

    def _explain(self, report: Report, recipient: RecipientStatus) -> Explanation:
        evidence = _Evidence.of(report, recipient)
        texts = list(evidence.texts())
        return Explanation(
            verdict=self._verdict(report, recipient),
            reply=next((text.folded for text in texts if text.reply), ""),
            notice=next((text.folded for text in texts if not text.reply), ""),
            status=evidence.status,
            smtp_code=recipient.smtp_code,
            tried=tuple((rule.id, span) for rule, span in self._tries(evidence)),
        )

    def _hits(self, evidence: _Evidence) -> Iterator[_Hit]:
        return (_Hit(rule, span) for rule, span in self._tries(evidence) if span)

    def _tries(self, evidence: _Evidence) -> Iterator[tuple[Rule, str]]:
        """Every rule worth a try, in order, with the span that it matched, or ""."""
        last = self._ruleset.first_fallback
        plain = self._without_words(evidence)
        texts = []
        for text in evidence.texts():
            places = sorted(self._with_words(text) | plain)
            texts.append((text, places))
            yield from self._try((place for place in places if place < last), text, evidence)
            plain = set()
        for text, places in texts or [(_NO_TEXT, sorted(self._without_words(evidence)))]:
            yield from self._try((place for place in places if place >= last), text, evidence)

    def _try(self, places: Iterable[int], text: _Text, evidence: _Evidence) -> Iterator[tuple[Rule, str]]:
        for place in places:
            yield self._ruleset.rules[place], self._span(place, text, evidence)

    def _with_words(self, text: _Text) -> set[int]:
        by_word, words = self._ruleset.by_word, text.words
        places = {
            place
            for word in words & by_word.keys()
            for place, also in by_word[word]
            if not also or not also.isdisjoint(words)
        }
        if text.squeezed:
            places.update(self._ruleset.squeezed)
        return places if text.folded.isascii() else places.union(self._ruleset.unspaced)

    def _without_words(self, evidence: _Evidence) -> set[int]:
        status = (evidence.status or "")[2:]
        return {*self._ruleset.by_status.get(status, ()), *self._ruleset.by_code.get(evidence.code or "", ())}

    def _span(self, place: int, text: _Text, evidence: _Evidence) -> str:
        """What of the text, the status or the code the rule at `place` matches; "" if it does not."""
        rule = self._ruleset.rules[place]
        if rule.weak and not text.reply or not _holds(rule, evidence):
            return ""
        if rule.provider and not evidence.is_from(self._ruleset.providers[rule.provider], text.words):
            return ""
        if not rule.patterns:
            return (evidence.status if rule.status else evidence.code) or ""
        if place in self._regex:
            regex = self._regex[place]
        else:
            regex = self._regex[place] = re.compile(rule.regex)
        found = regex.search(text.folded)
        return found[0] if found else text.squeezed_span(rule)


def _holds(rule: Rule, evidence: _Evidence) -> bool:
    """The conditions of `rule` besides its words and its provider."""
    status, code = evidence.status or "", evidence.code or ""
    if rule.status and status not in rule.status and f"x{status[1:]}" not in rule.status:
        return False
    if rule.codes and code not in rule.codes and f"{code[:1]}xx" not in rule.codes:
        return False
    if rule.names_address is not None and rule.names_address is not evidence.names_address():
        return False
    return not rule.phases or evidence.phase() in rule.phases


def _no_bounce(rule: str) -> Verdict:
    """For a recipient that did not bounce: soft, because that never leads to anything by itself."""
    return Verdict(Reason.UNKNOWN, BounceType.SOFT, Category.OTHER, rule)


_STATUS = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")
_CODE = re.compile(r"(?<![\d.])[45]\d\d(?![\d.])")
_WORDS_OF_PHASE = {"end": "end of DATA", "data": "DATA", "rcpt": "RCPT TO", "mail": "MAIL FROM", "helo": "EHLO"}


def as_report(example: Example) -> Report:
    """A failure report that says no more than `example`."""
    status, code = _STATUS.search(example.text), _CODE.match(example.text)
    recipient = RecipientStatus(
        final_recipient="someone@rcpt.example",
        action=Action.FAILED,
        status=example.status or (status[0] if status else None),
        smtp_code=int(code[0]) if code else None,
        diagnostic_type="smtp",
        diagnostic_code=example.text,
        remote_mta=example.remote_mta,
    )
    phase = f"(in reply to {_WORDS_OF_PHASE.get(example.phase, '')} command)" if example.phase else ""
    return Report(kind=Kind.FAILURE, recipients=(recipient,), text=phase)
