"""The way of a bounce, from the journal to what is stored. One line a step; the steps know no other step.

    authenticate  who sent it           parse   what it says          classify  why it bounced
    match         which delivery        detect  can it be tied?       apply     what follows

read() needs no database, so that a batch is read before its transaction opens; conclude() reads what was sent
inside that transaction. handle() is both, for one mail.
"""

from collections.abc import Callable
from dataclasses import dataclass

from handlers import apply
from handlers.bounce import Verdict
from handlers.classify import Classifier
from handlers.detached import detect
from handlers.envelope import Mail
from handlers.match import match
from handlers.outcome import Outcome
from handlers.ports import Ledger, Parser, ParserDied
from handlers.report import Report
from handlers.tokens import Tokens
from handlers.words import Detectability, Kind


@dataclass(frozen=True, slots=True)
class Ports:
    """What the steps are given: see handlers/ports.py."""

    authenticate: Callable[[Mail], dict[str, str]]  # RFC 8601 words: {"spf": "pass", "dkim": "none", ...}
    parser: Parser
    classifier: Classifier
    tokens: Tokens
    flag_separate: bool = False  # see detect()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says by itself."""

    mail: Mail
    authentication: dict[str, str]
    report: Report
    verdicts: tuple[Verdict, ...]


def handle(mail: Mail, ports: Ports, ledger: Ledger) -> Outcome:
    """One mail, all steps. Raises only when we are broken: the mail stays in the journal and is tried again."""
    return conclude(read(mail, ports), ports, ledger)


def read(mail: Mail, ports: Ports) -> Reading | Outcome:
    """The steps that need no database; an Outcome that is held where the mail can't be read within its bounds."""
    try:
        authentication = ports.authenticate(mail)
        report = ports.parser.parse(mail.raw, mail.envelope.reverse_path)
    except ParserDied as died:
        return held(mail, str(died))
    return Reading(mail, authentication, report, ports.classifier.classify(report))


def conclude(reading: Reading | Outcome, ports: Ports, ledger: Ledger) -> Outcome:
    """The steps that need to know what was sent."""
    if isinstance(reading, Outcome):
        return reading
    mail, report, verdicts = reading.mail, reading.report, reading.verdicts
    found = match(mail.envelope, report, ledger, ports.tokens)
    detection = detect(report, found.links, flag_separate=ports.flag_separate)
    matched = detection.detectability is Detectability.MATCHED
    bounces = apply.bounces(report, verdicts, found, ports.tokens) if matched else ()
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
        undetectable_reason=detection.undetectable_reason,
        bounces=bounces,
        suppressions=apply.suppressions(report, bounces, found),
        delivered=apply.delivered(report, found, ports.tokens),
    )


def held(mail: Mail, why: str) -> Outcome:
    """A mail that can't be read: stored raw and whole, with the reason, and shown."""
    report = Report(Kind.OTHER, faults=(why,))
    return Outcome(mail, report, (), (), Detectability.NOT_A_BOUNCE, None, held=why)
