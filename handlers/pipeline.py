"""The way of a bounce, from the journal to what is stored. One line a step; the steps know no other step.

    authenticate  who sent it           parse   what it says          classify  why it bounced
    match         which delivery        detect  can it be tied?       apply     what follows

read() needs no database, so that a batch is read before its transaction opens; conclude() reads what was sent
inside that transaction. handle() is both, for one mail. understand() runs within bounds: see handlers.ports.Reader.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handlers import apply
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
from handlers.words import Detectability, Kind


@dataclass(frozen=True, slots=True)
class Ports:
    """What the steps are given: see handlers/ports.py."""

    authenticate: Callable[[Sequence[Mail]], Sequence[dict[str, str]]]  # RFC 8601 words: {"spf": "pass", ...}
    reader: Reader
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
    return conclude(read([mail], ports)[0], ports, ledger)


def read(mails: Sequence[Mail], ports: Ports) -> list[Reading | Outcome]:
    """The steps that need no database; an Outcome that is held where a mail can't be read within its bounds."""
    found = zip(mails, ports.authenticate(mails), ports.reader.read(mails), strict=True)
    return [
        held(mail, said.why) if isinstance(said, Unreadable) else Reading(mail, results, said.report, said.verdicts)
        for mail, results, said in found
    ]


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
        suppressions=apply.suppressions(bounces),
        delivered=apply.delivered(report, found, ports.tokens),
    )


def held(mail: Mail, why: str) -> Outcome:
    """A mail that can't be read: stored raw and whole, with the reason, and shown."""
    report = Report(Kind.OTHER, faults=(why,))
    return Outcome(mail, report, (), (), Detectability.NOT_A_BOUNCE, None, held=why)
