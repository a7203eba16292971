"""The way of a bounce, from the journal to what is stored. One line a step; the steps know no other step.

    authenticate  who sent it           parse   what it says          classify  why it bounced
    match         which delivery        detect  can it be tied?       trust     is it believed?
    apply         what follows

read() needs no database, so that a batch is read before its transaction opens; conclude() reads what was sent
inside that transaction. handle() is both, for one mail. understand() runs within bounds: see handlers.ports.Reader.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from handlers import apply, trust
from handlers.authenticated import Authenticated
from handlers.bounce import Verdict
from handlers.classify import Classifier
from handlers.detached import detect
from handlers.envelope import Mail
from handlers.match import match
from handlers.outcome import Outcome
from handlers.parse import parse
from handlers.ports import Ledger, Reader, Said, Unreadable
from handlers.report import Report
from handlers.tokens import Tokens
from handlers.trust import Claim
from handlers.words import Detectability, Kind, Trust, TrustReason


@dataclass(frozen=True, slots=True)
class Ports:
    """What the steps are given: see handlers/ports.py."""

    authenticate: Callable[[Sequence[Mail]], Sequence[Authenticated]]
    reader: Reader
    tokens: Tokens
    flag_separate: bool = False  # see detect()
    look_up: Callable[[Sequence[Claim]], Sequence[TrustReason | None]] = lambda claims: [None] * len(claims)

    def asking_nobody(self) -> "Ports":
        """The same for mails whose senders were looked up when they came."""
        return Ports(as_it_came, self.reader, self.tokens, self.flag_separate)


def as_it_came(mails: Sequence[Mail]) -> list[Authenticated]:
    """The step authenticate where nobody is to be asked."""
    return [Authenticated(mail.raw) for mail in mails]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says by itself."""

    mail: Mail
    authentication: dict[str, str]
    report: Report
    verdicts: tuple[Verdict, ...]
    sender: tuple[TrustReason, ...] = ()  # what is known of who sent it


def handle(mail: Mail, ports: Ports, ledger: Ledger) -> Outcome:
    """One mail, all steps. Raises only when we are broken: the mail stays in the journal and is tried again."""
    return conclude(read([mail], ports)[0], ports, ledger)


def read(mails: Sequence[Mail], ports: Ports) -> list[Reading | Outcome]:
    """The steps that need no database; an Outcome that is held where a mail can't be read within its bounds."""
    authenticated = ports.authenticate(mails)
    found = zip(mails, authenticated, ports.reader.read(mails), strict=True)
    return _with_claims([_reading(*each) for each in found], authenticated, ports)


def _reading(mail: Mail, found: Authenticated, said: Said | Unreadable) -> Reading | Outcome:
    stored = Mail(mail.position, mail.envelope, found.raw, received=mail.size)
    if isinstance(said, Unreadable):
        return held(stored, said.why)
    sender = trust.of_sender(mail.envelope, said.report, found)
    return Reading(stored, found.results, said.report, said.verdicts, tuple(sender))


def _with_claims(
    readings: list[Reading | Outcome], authenticated: Sequence[Authenticated], ports: Ports
) -> list[Reading | Outcome]:
    """DNS is asked for those few that it can change, all at once."""
    claims = {
        at: claim
        for at, (reading, found) in enumerate(zip(readings, authenticated, strict=True))
        if isinstance(reading, Reading)
        and (claim := trust.claim(reading.mail.envelope, reading.report, reading.verdicts, found))
    }
    if claims:
        for at, reason in zip(claims, ports.look_up(list(claims.values())), strict=True):
            reading = readings[at]
            if reason and isinstance(reading, Reading):
                readings[at] = replace(reading, sender=(*reading.sender, reason))
    return readings


def understand(raw: bytes, reverse_path: str, classifier: Classifier) -> Said:
    """What the mail says by itself."""
    report = parse(raw, reverse_path)
    return Said(report, classifier.classify(report))


def conclude(reading: Reading | Outcome, ports: Ports, ledger: Ledger) -> Outcome:
    """The steps that need to know what was sent."""
    if isinstance(reading, Outcome):
        return reading
    mail, report, verdicts = reading.mail, reading.report, reading.verdicts
    found = match(mail.envelope, report, ledger, ports.tokens)
    detection = detect(report, found.links, flag_separate=ports.flag_separate)
    matched = detection.detectability is Detectability.MATCHED
    drawn = apply.bounces(report, verdicts, found, ports.tokens) if matched else ()
    weighed = trust.weigh(mail.envelope, report, found, reading.sender, drawn)
    bounces, proven = weighed.bounces, weighed.trust is Trust.PROVEN
    return Outcome(
        mail=mail,
        report=report,
        verdicts=verdicts,
        links=found.links,
        detectability=detection.detectability,
        notice_form=detection.notice_form,
        delivery=found.delivery,
        account=found.account,
        authentication=reading.authentication,
        trust=weighed.trust,
        trust_reasons=weighed.reasons,
        undetectable_reason=detection.undetectable_reason,
        bounces=bounces,
        suppressions=apply.suppressions(bounces),
        delivered=apply.delivered(report, found, ports.tokens) if proven else (),
    )


def told_again(outcome: Outcome, ordinals: Collection[int]) -> Outcome:
    """The outcome, of which these bounces were reported before: they have no second effect."""
    if not ordinals:
        return outcome
    bounces = tuple(
        replace(each, proven=False, again=each.proven) if number in ordinals else each
        for number, each in enumerate(outcome.bounces)
    )
    word, reasons = outcome.trust, outcome.trust_reasons
    if not any(each.proven for each in bounces):
        reasons = (*reasons, TrustReason.REPLAY)
        word = trust.judge(reasons)
    suppressions = apply.suppressions(bounces)
    return replace(outcome, bounces=bounces, suppressions=suppressions, trust=word, trust_reasons=reasons)


def held(mail: Mail, why: str) -> Outcome:
    """A mail that can't be read: stored raw and whole, with the reason, and shown."""
    report = Report(Kind.OTHER, faults=(why,))
    return Outcome(mail, report, (), (), Detectability.NOT_A_BOUNCE, None, held=why)
