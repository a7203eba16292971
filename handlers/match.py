"""Which delivery a capture is about: the ladder token > envelope_id > message_id > thread > body_token.

Every rung that was found is kept with where it stood and what became of it. A strong link may have an effect on a
delivery; a weak one only shows where to look; what is not ours is `foreign` and proves that an original is named.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from handlers.bounce import NONE, STRONG, WEAK, Link, Match
from handlers.envelope import Envelope
from handlers.message import Account, Delivery
from handlers.ports import Ledger
from handlers.report import Report
from handlers.tokens import Tokens
from handlers.verp import Token
from handlers.words import LinkMethod

_MOST_REFERENCES = 10


@dataclass(frozen=True, slots=True)
class _Rung:
    link: Link
    delivery: Delivery | None = None
    token: Token | None = None


def match(envelope: Envelope, report: Report, ledger: Ledger, tokens: Tokens) -> Match:
    """Every link of this capture, strongest first."""
    rungs = [
        *_by_token(LinkMethod.TOKEN, "forward_path", envelope.forward_paths, report, ledger, tokens),
        *_by_envelope_id(report, ledger, tokens),
        *_by_message_id(envelope, report, ledger),
        *_by_thread(report, ledger),
        *_by_token(LinkMethod.BODY_TOKEN, "text", report.addresses_in_text, report, ledger, tokens),
    ]
    for strength in (STRONG, WEAK):
        for rung in rungs:
            if rung.link.strength == strength:
                return Match(tuple(r.link for r in rungs), rung.delivery, _account(rung, ledger), rung.token, strength)
    return Match(tuple(rung.link for rung in rungs))


def _by_token(
    method: LinkMethod, where: str, addresses: Iterable[str], report: Report, ledger: Ledger, tokens: Tokens
) -> Iterator[_Rung]:
    strong = STRONG if method is LinkMethod.TOKEN else WEAK
    for address in dict.fromkeys(addresses):
        verified = tokens.read(address)
        if verified and verified.token:
            delivery = ledger.by_token(verified.token.text) if verified.accepted else None
            strength = strong if verified.accepted else NONE
            link = Link(method, where, verified.state, verified.token.text, _key(delivery), strength)
            yield _Rung(link, delivery, verified.token if verified.accepted else None)


def _by_envelope_id(report: Report, ledger: Ledger, tokens: Tokens) -> Iterator[_Rung]:
    """RFC 3464 2.2.1. An envelope id is not signed, but who knows one of ours was handed the message."""
    if report.original_envelope_id:
        found = ledger.by_envelope_id(report.original_envelope_id)
        yield _rung(LinkMethod.ENVELOPE_ID, "original_envelope_id", report.original_envelope_id, found, report, STRONG)


def _by_message_id(envelope: Envelope, report: Report, ledger: Ledger) -> Iterator[_Rung]:
    original = report.original
    if original and original.message_id:
        # an inline copy is structured by nothing but words; a person's forward looks the same
        proven = original.where != "inline" or envelope.null_reverse_path
        found = ledger.by_message_id(original.message_id)
        yield _rung(
            LinkMethod.MESSAGE_ID, original.where, original.message_id, found, report, STRONG if proven else WEAK
        )


def _by_thread(report: Report, ledger: Ledger) -> Iterator[_Rung]:
    named = [("in_reply_to", value) for value in report.in_reply_to]
    named += [("references", value) for value in report.references if value not in report.in_reply_to]
    for where, value in named[:_MOST_REFERENCES]:
        yield _rung(LinkMethod.THREAD, where, value, ledger.by_message_id(value), report, WEAK)


def _rung(
    method: LinkMethod, where: str, value: str, found: tuple[Delivery, ...], report: Report, strength: str
) -> _Rung:
    if not found:
        return _Rung(Link(method, where, "foreign", value))
    delivery = _stated(found, report)
    return _Rung(Link(method, where, "valid", value, _key(delivery), strength), delivery)


def _stated(found: tuple[Delivery, ...], report: Report) -> Delivery | None:
    """The one of a message's deliveries that the report is about; None where it does not say which."""
    stated = {address.lower() for recipient in report.recipients for address in recipient.addresses}
    named = [delivery for delivery in found if delivery.recipient.lower() in stated]
    if named:
        return named[0]
    return found[0] if len(found) == 1 else None


def _key(delivery: Delivery | None) -> int | None:
    return delivery.id if delivery else None


def _account(rung: _Rung, ledger: Ledger) -> Account | None:
    if rung.delivery:
        return rung.delivery.message.account
    return ledger.account(rung.token.account) if rung.token else None
