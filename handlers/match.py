"""Which deliveries a capture is about: the ladder token > envelope_id > message_id > thread > body_token.

Every rung that was found is kept with where it stood and what became of it. A strong link may have an effect on a
delivery; a weak one only shows where to look; what is not ours is `foreign` and proves that an original is named.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from handlers.bounce import STRONG, WEAK, Link, Match
from handlers.envelope import Envelope
from handlers.message import Account, Delivery
from handlers.ports import Ledger
from handlers.report import Report
from handlers.tokens import Tokens
from handlers.verp import State, Token
from handlers.words import LinkMethod

_IDS = {LinkMethod.ENVELOPE_ID, LinkMethod.MESSAGE_ID}
_MOST_THREADS = 10  # the newest: those before them name older mails of a talk


@dataclass(frozen=True, slots=True)
class _Rung:
    link: Link
    deliveries: tuple[Delivery, ...] = ()
    token: Token | None = None


@dataclass(frozen=True, slots=True)
class _Ladder:
    """What the rungs are made of."""

    report: Report
    ledger: Ledger
    tokens: Tokens
    stated: tuple[str, ...]  # the addresses of the report's recipients

    def by_token(self, method: LinkMethod, where: str, addresses: Iterable[str]) -> Iterator[_Rung]:
        for address in dict.fromkeys(addresses):
            verified = self.tokens.read(address)
            if verified is None or verified.token is None:
                if method is LinkMethod.TOKEN and self.tokens.is_ours(address) and "+" in address:
                    # the base with an extension: the return path of somebody who made it up
                    yield _Rung(Link(method, where, State.MALFORMED, address.rpartition("@")[0]))
                continue
            if not verified.accepted:
                yield _Rung(Link(method, where, verified.state, verified.token.text))
                continue
            found = self._of_token(verified.token)
            strong = method is LinkMethod.TOKEN and (bool(found) or verified.token.recipient_hash is not None)
            link = Link(method, where, verified.state, verified.token.text, _key(found), STRONG if strong else WEAK)
            yield _Rung(link, found, verified.token)

    def by_envelope_id(self) -> Iterator[_Rung]:
        """RFC 3464 2.2.1. An envelope id is not signed, but who knows one of ours was handed the message."""
        value = self.report.original_envelope_id
        if value:
            found = self.ledger.by_envelope_id(value, self.stated)
            yield self._rung(LinkMethod.ENVELOPE_ID, "original_envelope_id", value, found, STRONG)

    def by_message_id(self, envelope: Envelope) -> Iterator[_Rung]:
        original = self.report.original
        if original and original.message_id:
            # an inline copy is structured by nothing but words; a person's forward looks the same
            proven = original.where != "inline" or envelope.null_reverse_path
            found = self.ledger.by_message_id(original.message_id, self.stated)
            yield self._rung(
                LinkMethod.MESSAGE_ID, original.where, original.message_id, found, STRONG if proven else WEAK
            )

    def by_thread(self) -> Iterator[_Rung]:
        """RFC 5322 3.6.4: the parent stands in In-Reply-To, and last in References."""
        named = dict.fromkeys(reversed(self.report.in_reply_to), "in_reply_to")
        for value in reversed(self.report.references):
            named.setdefault(value, "references")
        for value, where in list(named.items())[:_MOST_THREADS]:
            yield self._rung(LinkMethod.THREAD, where, value, self.ledger.by_message_id(value, self.stated), WEAK)

    def _of_token(self, token: Token) -> tuple[Delivery, ...]:
        """The delivery that was sent with this token; of an XVERP base those that were registered for its message.

        Nothing signs the recipient behind a base, so there it only says which registered one is meant.
        """
        if token.recipient_hash is None:
            named = (token.recipient, *self.stated) if token.recipient else self.stated
            found = _about(self.ledger.by_envelope_id(token.text, named), named)
        else:
            delivery = self.ledger.by_token(token.text)
            found = (delivery,) if delivery else ()
        return tuple(each for each in found if each.message.account.id == token.account)

    def _rung(self, method: LinkMethod, where: str, value: str, found: tuple[Delivery, ...], strength: str) -> _Rung:
        if not found:
            return _Rung(Link(method, where, "foreign", value))
        about = _about(found, self.stated)
        return _Rung(Link(method, where, "valid", value, _key(about), strength), about)


def match(envelope: Envelope, report: Report, ledger: Ledger, tokens: Tokens) -> Match:
    """Every link of this capture in the ladder's order, and what the strongest one ties it to."""
    stated = dict.fromkeys(address for recipient in report.recipients for address in recipient.addresses)
    ladder = _Ladder(report, ledger, tokens, tuple(stated))
    rungs = [
        *ladder.by_token(LinkMethod.TOKEN, "forward_path", envelope.forward_paths),
        *ladder.by_envelope_id(),
        *ladder.by_message_id(envelope),
        *ladder.by_thread(),
        *ladder.by_token(LinkMethod.BODY_TOKEN, "return_path", _returned_path(report, envelope)),
        *ladder.by_token(LinkMethod.BODY_TOKEN, "text", report.addresses_in_text),
    ]
    links = tuple(rung.link for rung in rungs)
    for strength in (STRONG, WEAK):
        for rung in rungs:
            if rung.link.strength == strength:
                account = _account(rung, ledger)
                return Match(links, rung.deliveries, account, rung.token, strength, rung.link, _differs(rung, rungs))
    return Match(links)


def _differs(strongest: _Rung, rungs: Iterable[_Rung]) -> bool:
    """An id leads to messages of ours, and to none of those that the strongest link leads to."""
    ours = {each.message.message_id for each in strongest.deliveries}
    named = [{each.message.message_id for each in rung.deliveries} for rung in rungs if rung.link.method in _IDS]
    return bool(ours) and any(each and not each & ours for each in named)


def _returned_path(report: Report, envelope: Envelope) -> Iterator[str]:
    """The Return-Path of the original (RFC 5321 4.4), unless it is where the capture came to."""
    path = (report.original.headers.get("return-path", "") if report.original else "").strip().strip("<>")
    if "@" in path and path.lower() not in {each.lower() for each in envelope.forward_paths}:
        yield path


def _about(found: tuple[Delivery, ...], stated: Iterable[str]) -> tuple[Delivery, ...]:
    """Those that the report is about: the stated ones, or the only one. None where two accounts sent the message."""
    folded = {address.lower() for address in stated}
    about = tuple(each for each in found if each.recipient.lower() in folded) or (found if len(found) == 1 else ())
    return about if len({each.message.account.id for each in about}) == 1 else ()


def _key(deliveries: tuple[Delivery, ...]) -> int | None:
    return deliveries[0].id if deliveries else None


def _account(rung: _Rung, ledger: Ledger) -> Account | None:
    if rung.deliveries:
        return rung.deliveries[0].message.account
    return ledger.account(rung.token.account) if rung.token else None
