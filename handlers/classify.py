"""The step classify: what a reply, or a notice's own words, mean. Pure; the knowledge is in handlers/rules/.

Asked in this order, and the first that answers wins: rules with words over the recipient's reply, the same rules
over the notice's text, words that say little, the status (RFC 3463), the reply code (RFC 5321 4.2), the guess. A guess
that is sure of itself goes before a status or a code that names no case.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from handlers.bounce import NO_BOUNCE, Verdict
from handlers.evidence import VAGUE, Evidence, Key, Notice, Text
from handlers.guess import Guesser
from handlers.phrases import UNSPACED
from handlers.profiles import table
from handlers.report import RecipientStatus, Report
from handlers.rule import Example, Rule
from handlers.ruleset import Ruleset
from handlers.words import Action, BounceType, Category, Kind, Profile, Reason

BOUNCES = (Kind.FAILURE, Kind.DELAY)
ARRIVED = (Action.DELIVERED, Action.RELAYED, Action.EXPANDED)
SURE = 0.6  # how sure a guess must be of itself to go before a status or a code that names no case
_NO_TEXT = Text("", frozenset(), reply=True)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a recipient got its verdict, for people."""

    verdict: Verdict
    reply: str  # the folded text that the rules were asked about
    notice: str  # the folded words of the notice
    status: str | None
    smtp_code: int | None
    tried: tuple[tuple[str, str], ...]  # every rule that was tried, in order: id, and the span it matched or ""

    @property
    def nearly(self) -> tuple[tuple[str, str], ...]:
        """The rules that matched as well, and lost because they come later."""
        return tuple((rule, span) for rule, span in self.tried if span and rule != self.verdict.rule)


class Classifier:
    """Judges reports by one ruleset and one profile. Picklable; keeps nothing between calls but compiled patterns."""

    def __init__(self, ruleset: Ruleset, profile: Profile = Profile.HUBSPOT) -> None:
        self._ruleset = ruleset
        self._table = table(profile)
        self._guesser = Guesser.load()
        self._regex: dict[int, re.Pattern[str]] = {}

    def classify(self, report: Report) -> tuple[Verdict, ...]:
        """One verdict for each of report.recipients, in order.

        A recipient that did not bounce gets reason unknown, type soft and the rule "delivered" or "no_bounce".
        """
        seen: dict[Key, Verdict] = {}
        verdicts = []
        for key, evidence in _each(report):
            if key not in seen:
                seen[key] = self._verdict(evidence)
            verdicts.append(seen[key])
        return tuple(verdicts)

    def explain(self, report: Report) -> tuple[Explanation, ...]:
        """As classify(), with everything that was tried."""
        return tuple(self._explain(evidence) for _, evidence in _each(report))

    def judge(self, example: Example) -> Verdict:
        """The verdict on a bare reply, as a failure."""
        return self.classify(as_report(example))[0]

    def tried(self, example: Example) -> tuple[tuple[str, str], ...]:
        """What is tried for a bare reply, as in Explanation."""
        return self.explain(as_report(example))[0].tried

    def _explain(self, evidence: Evidence) -> Explanation:
        verdict = self._verdict(evidence)
        texts = list(evidence.texts())
        return Explanation(
            verdict=verdict,
            reply=next((text.folded for text in texts if text.reply), "").strip(),
            notice=next((text.folded for text in texts if not text.reply), "").strip(),
            status=evidence.recipient.status,
            smtp_code=evidence.recipient.smtp_code,
            tried=() if verdict.rule in NO_BOUNCE else tuple(self._tried(evidence)),
        )

    def _tried(self, evidence: Evidence) -> Iterator[tuple[str, str]]:
        """Rule by rule: of several patterns of a rule the first that matches counts."""
        for text, numbers in self._stages(evidence):
            spans: dict[str, str] = {}
            for number in numbers:
                rule = self._ruleset.clauses[number].rule
                spans[rule.id] = spans.get(rule.id) or self._span(number, rule, text, evidence)
            yield from spans.items()

    def _verdict(self, evidence: Evidence) -> Verdict:
        report, recipient = evidence.report, evidence.recipient
        if report.kind not in BOUNCES and report.kind is not Kind.SUCCESS:
            return _no_bounce("no_bounce")
        if recipient.action in ARRIVED or (report.kind is Kind.SUCCESS and recipient.action is None):
            return _no_bounce("delivered")
        for text, numbers in self._stages(evidence):
            hits = self._hits(numbers, text, evidence)
            for rule, span in hits:
                sure = self._sure_guess(evidence) if not rule.patterns and evidence.status[2:] in VAGUE else None
                if sure:
                    return sure
                runner_up = next((other.id for other, _ in hits if other is not rule), None)
                type_, category = self._effect(evidence, rule.reason, rule.permanent)
                return Verdict(rule.reason, type_, category, rule.id, span, runner_up=runner_up)
        return self._guess(evidence)

    def _sure_guess(self, evidence: Evidence) -> Verdict | None:
        """What the words of a reply very probably mean, where status and code name no case."""
        verdict = self._guess(evidence)
        return verdict if verdict.guess and verdict.confidence >= SURE else None

    def _guess(self, evidence: Evidence) -> Verdict:
        text = next(evidence.texts(), None)
        guess = self._guesser.guess(text.folded) if text and text.reply else None
        if guess is None:
            return Verdict(Reason.UNKNOWN, *self._effect(evidence, Reason.UNKNOWN), "none")
        reason, confidence = guess
        return Verdict(reason, *self._effect(evidence, reason), "guess", confidence=confidence, guess=True)

    def _effect(self, evidence: Evidence, reason: Reason, permanent: bool | None = None) -> tuple[BounceType, Category]:
        """By the profile. A delay is pending whatever its reason."""
        row = self._table[reason]
        action = evidence.recipient.action
        if action is Action.DELAYED or (action is None and evidence.report.kind is Kind.DELAY):
            return BounceType.PENDING, row.temporary.category
        if permanent is None:
            temporary = evidence.temporary
            # a notice that names no code has given up for good, if it says why
            permanent = reason is not Reason.UNKNOWN if temporary is None else not temporary
        effect = row.permanent if permanent else row.temporary
        return effect.type, effect.category

    def _stages(self, evidence: Evidence) -> Iterator[tuple[Text, list[int]]]:
        """Which clauses to try, text by text; the fallbacks come after the last text."""
        last = self._ruleset.first_fallback
        plain = self._without_words(evidence)
        fallbacks = []
        for text in evidence.texts():
            numbers = sorted(self._with_words(text) | plain)
            first = bisect_left(numbers, last)
            fallbacks.append((text, numbers[first:]))
            yield text, numbers[:first]
            plain = set()
        if plain:  # there was no text at all
            yield _NO_TEXT, sorted(plain)
        yield from fallbacks

    def _hits(self, numbers: list[int], text: Text, evidence: Evidence) -> Iterator[tuple[Rule, str]]:
        for number in numbers:
            rule = self._ruleset.clauses[number].rule
            span = self._span(number, rule, text, evidence)
            if span:
                yield rule, span

    def _with_words(self, text: Text) -> set[int]:
        """The clauses worth a try: of a text that is asked again, without those that are known not to match."""
        if text.spans is None:
            return self._candidates(text)
        if text.found is None:
            text.found = self._candidates(text)
        elif text.spans:
            clauses, spans = self._ruleset.clauses, text.spans
            text.found = {n for n in text.found if spans.get(n, "?") and not clauses[n].rule.weak}
        return text.found

    def _candidates(self, text: Text) -> set[int]:
        """The clauses whose words stand in `text`."""
        by_word, words = self._ruleset.by_word, text.words
        found = set()
        for word in words & by_word.keys():
            for number, all_of, one_of in by_word[word]:
                if not all_of <= words:
                    continue
                for needed in one_of:
                    if needed.isdisjoint(words):
                        break
                else:
                    found.add(number)
        if text.squeezed:
            found.update(self._ruleset.squeezed)
        if not text.folded.isascii() and UNSPACED.search(text.folded):
            found.update(self._ruleset.unspaced)
        return found

    def _without_words(self, evidence: Evidence) -> set[int]:
        ruleset = self._ruleset
        return {*ruleset.by_status.get(evidence.status[2:], ()), *ruleset.by_code.get(evidence.code, ())}

    def _span(self, number: int, rule: Rule, text: Text, evidence: Evidence) -> str:
        """What of the text, the status or the code this clause of `rule` matches; "" if it does not."""
        if not rule.conditional:
            return self._words(number, rule, text)
        if (rule.weak and not text.reply) or not evidence.fits(rule):
            return ""
        span = self._words(number, rule, text) if rule.patterns else evidence.status if rule.status else evidence.code
        provider = self._ruleset.providers[rule.provider] if span and rule.provider else None
        return span if span and evidence.comes_from(rule, provider, text.words) else ""

    def _words(self, number: int, rule: Rule, text: Text) -> str:
        if text.spans is None:
            return self._searched(number, rule, text)
        if number not in text.spans:
            text.spans[number] = self._searched(number, rule, text)
        return text.spans[number]

    def _searched(self, number: int, rule: Rule, text: Text) -> str:
        found = (self._regex.get(number) or self._compiled(number)).search(text.folded)
        if found:
            return found[0].strip()
        return next((piece for piece in rule.squeezed if piece in text.squeezed), "") if text.squeezed else ""

    def _compiled(self, number: int) -> re.Pattern[str]:
        regex = self._regex[number] = re.compile(self._ruleset.clauses[number].regex)
        return regex


def _each(report: Report) -> Iterator[tuple[Key, Evidence]]:
    """Each recipient's evidence, with what the verdict hangs on. Replies that are the same are paid for once."""
    notice = Notice.of(report)
    lengths: dict[Key, int] = {}
    for recipient in report.recipients:
        evidence = Evidence.of(report, notice, recipient)
        key = evidence.key() if len(report.recipients) > 1 else ()
        if key not in lengths:
            lengths[key] = notice.allow(recipient.diagnostic_code)
        evidence.length = lengths[key]
        yield key, evidence


def _no_bounce(rule: str) -> Verdict:
    """For a recipient that did not bounce: soft, because that never leads to anything by itself."""
    return Verdict(Reason.UNKNOWN, BounceType.SOFT, Category.OTHER, rule)


_STATUS = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")
_CODE = re.compile(r"(?<![\d.])[45]\d\d(?![\d.])")
_COMMANDS = {
    "connect": "initial connection",
    "end": "end of DATA",
    "data": "DATA",
    "rcpt": "RCPT TO",
    "mail": "MAIL FROM",
    "helo": "EHLO",
}


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
    phase = f"(in reply to {_COMMANDS.get(example.phase, '')} command)" if example.phase else ""
    return Report(Kind.FAILURE, recipients=(recipient,), text=phase, reporting_mta=example.reporting_mta)
