"""How far a capture is believed that reports on a delivery. docs/trust.md has the table, and why.

Anybody can write a report. What proves one is that who sent it was handed the mail for this very recipient, or
speaks for the recipient's domain; a Message-ID is known to everybody who got the message.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from handlers import verp
from handlers.authenticated import Authenticated
from handlers.bounce import STRONG, Match, Verdict
from handlers.client import public_address
from handlers.daemons import LOCAL_PARTS, is_daemon
from handlers.envelope import Envelope
from handlers.outcome import Bounce
from handlers.report import KIND_GUESSED, RecipientStatus, Report
from handlers.words import Action, BounceType, Kind, LinkMethod, NoticeForm, Trust
from handlers.words import TrustReason as Reason


class Part(StrEnum):
    """What a reason is worth."""

    PROVES = "proves"  # who reports was handed the mail for this recipient, or speaks for its domain or for the sender
    NAMES = "names"  # ties the report to a message
    STATES = "states"  # the outcome is stated in a form that software writes
    DOUBTS = "doubts"  # plausible at best
    WEIGHS = "weighs"  # suspect, unless something proves it
    DENIES = "denies"  # suspect
    TELLS = "tells"  # nothing


PARTS = {
    Reason.TOKEN: Part.PROVES,
    Reason.TOKEN_RETURNED: Part.PROVES,
    Reason.RECIPIENT_DOMAIN: Part.PROVES,
    Reason.RECIPIENT_MX: Part.PROVES,
    Reason.OWN_RELAY: Part.PROVES,
    Reason.BASE_TOKEN: Part.NAMES,
    Reason.ENVELOPE_ID: Part.NAMES,
    Reason.MESSAGE_ID: Part.NAMES,
    Reason.THREAD: Part.DOUBTS,
    Reason.BODY_TOKEN: Part.DOUBTS,
    Reason.FIELDS: Part.STATES,
    Reason.CODE: Part.STATES,
    Reason.NO_CODE: Part.DOUBTS,
    Reason.NO_FAILURE: Part.DOUBTS,
    Reason.NO_RECIPIENT: Part.DOUBTS,
    Reason.KIND_GUESSED: Part.DOUBTS,
    Reason.PERSON: Part.DOUBTS,
    Reason.REPLAY: Part.DOUBTS,
    Reason.DMARC_FAIL: Part.WEIGHS,
    Reason.SPF_FAIL: Part.DENIES,
    Reason.OTHER_RECIPIENT: Part.DENIES,
    Reason.OTHER_MESSAGE: Part.DENIES,
    Reason.FORGED_TOKEN: Part.DENIES,
    Reason.NO_LINK: Part.DENIES,
    Reason.DNS_FAILED: Part.TELLS,
}
# DNS says another day's, and the settings too
LOOKED_UP = frozenset({Reason.RECIPIENT_DOMAIN, Reason.RECIPIENT_MX, Reason.OWN_RELAY, Reason.DNS_FAILED})
_ORDER = tuple(Trust)
_REPORTING = {Kind.FAILURE, Kind.DELAY, Kind.SUCCESS}
_FORGED = {verp.State.BAD_MAC, verp.State.UNKNOWN_KEY}


@dataclass(frozen=True, slots=True)
class Weighed:
    """What one capture is worth."""

    trust: Trust | None  # None where it reports on no delivery
    reasons: tuple[Reason, ...]
    bounces: tuple[Bounce, ...]  # each says whether it is proven


@dataclass(frozen=True, slots=True)
class Claim:
    """A report that could have an effect if its sender spoke for the recipient's domain."""

    domain: str  # of the recipients that failed
    client: str  # address
    host: str  # name that SPF proves the client to have, "" for none


@lru_cache(maxsize=1024)
def judge(reasons: tuple[Reason, ...]) -> Trust:
    """The word for these reasons."""
    parts = {PARTS[reason] for reason in reasons}
    if Part.DENIES in parts or (Part.WEIGHS in parts and Part.PROVES not in parts):
        return Trust.SUSPECT
    if Part.DOUBTS not in parts and {Part.PROVES, Part.STATES} <= parts:
        return Trust.PROVEN
    return Trust.PLAUSIBLE


def weigh(
    envelope: Envelope, report: Report, match: Match, sender: Sequence[Reason], bounces: tuple[Bounce, ...]
) -> Weighed:
    """What the capture is worth; its bounces, and of each whether it may have an effect on its delivery.

    `sender` are the reasons of of_sender() and of the claim's answer; `bounces` are those of apply.bounces().
    """
    if report.kind not in _REPORTING:
        return Weighed(None, (), bounces)
    whole = (*_ties(match), *_person(envelope, report), *sender)
    if KIND_GUESSED in report.faults:
        whole = (*whole, Reason.KIND_GUESSED)
    if not bounces:
        reasons = (*whole, *_stated_of_nobody(report, match))
        return Weighed(judge(reasons), reasons, ())
    of_each = [
        tuple(dict.fromkeys((*_proofs(match, each), *whole, *_states(report, each.recipient)))) for each in bounces
    ]
    failed = report.kind is Kind.FAILURE
    proven = tuple(
        replace(each, proven=True) if failed and judge(reasons) is Trust.PROVEN else each
        for each, reasons in zip(bounces, of_each, strict=True)
    )
    best = min(of_each, key=lambda reasons: _ORDER.index(judge(reasons)))
    return Weighed(judge(best), best, proven)


def _ties(match: Match) -> Iterable[Reason]:
    if match.link is None:
        forged = any(link.method is LinkMethod.TOKEN and link.state in _FORGED for link in match.links)
        yield Reason.FORGED_TOKEN if forged else Reason.NO_LINK
        return
    method = match.link.method
    if method is LinkMethod.TOKEN:
        base = match.token is None or match.token.recipient_hash is None
        yield Reason.BASE_TOKEN if base else Reason.TOKEN
    else:
        yield Reason(method)
    if match.other_message:
        yield Reason.OTHER_MESSAGE


def _proofs(match: Match, bounce: Bounce) -> Iterable[Reason]:
    """A return path that came back with an id, and that only this recipient's copy had."""
    delivery = bounce.delivery
    if (
        match.strength == STRONG
        and delivery
        and any(
            link.method is LinkMethod.BODY_TOKEN and link.delivery == delivery.id and link.value == delivery.token
            for link in match.links
        )
    ):
        yield Reason.TOKEN_RETURNED


def _person(envelope: Envelope, report: Report) -> Iterable[Reason]:
    if not envelope.null_reverse_path and not is_daemon(report.from_):
        yield Reason.PERSON


def _states(report: Report, recipient: RecipientStatus) -> Iterable[Reason]:
    if report.kind is Kind.FAILURE and recipient.action is not Action.FAILED:
        yield Reason.NO_FAILURE
    elif report.notice_form is NoticeForm.DSN:
        yield Reason.FIELDS
    else:
        yield Reason.CODE if recipient.smtp_code or recipient.status else Reason.NO_CODE


def _stated_of_nobody(report: Report, match: Match) -> Iterable[Reason]:
    if report.kind is Kind.SUCCESS:
        yield Reason.FIELDS if report.notice_form is NoticeForm.DSN else Reason.NO_CODE
    elif not report.recipients:
        yield Reason.NO_RECIPIENT
    elif match.link:
        yield Reason.OTHER_RECIPIENT


def of_sender(envelope: Envelope, report: Report, found: Authenticated) -> list[Reason]:
    """What SPF, DKIM and DMARC say of who reports."""
    if report.kind not in _REPORTING:
        return []
    reasons = []
    if found.results.get("spf") == "fail":
        reasons.append(Reason.SPF_FAIL)
    if found.results.get("dmarc") == "fail":
        reasons.append(Reason.DMARC_FAIL)
    domain = _domain(report)
    if domain and _may_claim(envelope, report) and _speaks_for(domain, found):
        reasons.append(Reason.RECIPIENT_DOMAIN)
    if _may_claim(envelope, report) and _is_own(report, found):
        reasons.append(Reason.OWN_RELAY)
    return reasons


def claim(envelope: Envelope, report: Report, verdicts: Sequence[Verdict], found: Authenticated) -> Claim | None:
    """What is to be looked up, where the answer can change what follows."""
    client = public_address(envelope.client)
    if client is None or not _may_claim(envelope, report) or not _names_message(envelope, report):
        return None
    if not any(verdict.type is BounceType.HARD for verdict in verdicts):
        return None
    domain = _domain(report)
    if not domain or _speaks_for(domain, found) or _is_own(report, found) or found.results.get("spf") == "fail":
        return None
    return Claim(domain, client, found.helo)


def _may_claim(envelope: Envelope, report: Report) -> bool:
    """Only a DSN from the null reverse path: anybody's mail comes from his provider's servers, signed by them."""
    return report.kind is Kind.FAILURE and report.notice_form is NoticeForm.DSN and envelope.null_reverse_path


def _names_message(envelope: Envelope, report: Report) -> bool:
    """It names a message, and came to no return path of one recipient, which would be proof enough."""
    tokens = [verp.unwrap(path.rpartition("@")[0]) for path in envelope.forward_paths]
    if any(token and token[0] == "b" for token in tokens):
        return False
    original = report.original
    return any(tokens) or bool(report.original_envelope_id) or bool(original and original.message_id)


def _domain(report: Report) -> str | None:
    """The domain of those who failed; None where there are several: the sender speaks for one."""
    domains = {
        address.rpartition("@")[2].removesuffix(".").lower()
        for recipient in report.recipients
        if recipient.action is Action.FAILED
        for address in recipient.addresses
    }
    domain = domains.pop() if len(domains) == 1 else ""
    return domain if "." in domain else None


def _speaks_for(domain: str, found: Authenticated) -> bool:
    """A host of the domain by SPF, or its mail server by DKIM: From is signed, and no user is called so."""
    local, _, author = found.author.rpartition("@")
    signed = local in LOCAL_PARTS and _within(author, domain) and any(_within(author, each) for each in found.signers)
    return signed or _within(found.helo, domain)


def _is_own(report: Report, found: Authenticated) -> bool:
    """It reports in the name that it has (RFC 3464 2.2.2)."""
    return bool(found.own_relay) and (report.reporting_mta or "").lower().removesuffix(".") == found.own_relay


def _within(name: str, domain: str) -> bool:
    """Whether the name is the domain or below it."""
    return bool(name) and (name == domain or name.endswith("." + domain))
