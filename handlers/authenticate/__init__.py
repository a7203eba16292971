"""Who a capture comes from: SPF, DKIM, ARC and DMARC, and one Authentication-Results field that states them."""

import re
from dataclasses import dataclass

from handlers import dmarc
from handlers.authenticate.lookups import Limits, Lookups
from handlers.authenticate.results import header, split, strip_forged
from handlers.authenticate.sender import Sender, check_spf
from handlers.authenticate.signatures import Signature, check_arc, check_dkim, overall
from handlers.authenticated import Authenticated
from handlers.client import public_address
from handlers.envelope import Mail
from handlers.ports import LookupFailed, Resolver

__all__ = ["Authentication", "Limits", "Signature", "authenticate", "stamp", "strip_forged"]


@dataclass(frozen=True, slots=True)
class Authentication:
    """The results in the words of RFC 8601 2.7, and the header that states them."""

    spf: str
    dkim: tuple[Signature, ...]
    arc: str
    dmarc: str
    policy: str | None  # what the author's domain asks for: "none", "quarantine", "reject"
    header: bytes  # Authentication-Results, folded, with its CRLF
    helo: str = ""  # domain of HELO, where SPF passed for it
    author: str = ""  # the address in From; "" where it is not exactly one

    @property
    def results(self) -> dict[str, str]:
        """One word a method: {"spf": ..., "dkim": ..., "arc": ..., "dmarc": ...}."""
        return {"spf": self.spf, "dkim": overall(self.dkim), "arc": self.arc, "dmarc": self.dmarc}


def authenticate(mail: Mail, resolver: Resolver, authserv_id: str, limits: Limits | None = None) -> Authentication:
    """Checks one mail as it was received. Never raises for what a mail or a DNS says.

    Asks no DNS where nothing can be checked: no signature, no domain, a client of our own network.
    """
    limits = limits or Limits()
    lookups = Lookups(resolver, limits.deadline)
    head, body = split(mail.raw)
    lowered = b"\n" + head.lower()
    sender = check_spf(mail.envelope, lookups, limits)
    signatures = check_dkim(head, body, lookups, limits) if b"\ndkim-signature:" in lowered else ()
    arc = check_arc(head, body, lookups, limits) if b"\narc-seal:" in lowered else "none"
    if signatures or public_address(mail.envelope.client):
        verdict = check_dmarc(head, sender, signatures, lookups)
    else:
        verdict = dmarc.Verdict("none")
    field = header(authserv_id, sender, signatures, arc, verdict)
    helo = sender.domain if sender.property == "smtp_helo" and sender.result == "pass" else ""
    return Authentication(
        sender.result, signatures, arc, verdict.result, verdict.policy, field, helo, author(head) if signatures else ""
    )


def stamp(mail: Mail, found: Authentication | None, authserv_id: str) -> Authenticated:
    """What was found as plain values, with the mail as it is to be stored. None: authentication is switched off."""
    raw = strip_forged(mail.raw, authserv_id)
    if found is None:
        return Authenticated(raw)
    signers = tuple(dmarc.domain_name(each.domain) for each in found.dkim if each.result == "pass")
    return Authenticated(found.header + raw, found.results, found.helo, signers, found.author)


_FROM = re.compile(rb"^from[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)


_ADDRESS = re.compile(r"[^@<>,;:\"()\\\s]+@[^@<>,;:\"()\\\s]+")


def author(head: bytes) -> str:
    """The address in From, "" where there is not exactly one: which of several was signed nobody can tell."""
    values = _FROM.findall(head)
    found = _ADDRESS.findall(values[0].decode("utf-8", "replace")) if len(values) == 1 else ()
    return found[0].lower() if len(found) == 1 else ""


def check_dmarc(head: bytes, sender: Sender, signatures: tuple[Signature, ...], lookups: Lookups) -> dmarc.Verdict:
    """RFC 9989: no author's domain is "none", several are "permerror"."""
    values = [value.decode("utf-8", "replace") for value in _FROM.findall(head)[:10]]
    authors = dmarc.author_domains(values)
    if len(authors) > 1:
        return dmarc.Verdict("permerror")
    if authors in ((), ("",)):
        return dmarc.Verdict("none")
    identities = [dmarc.Identity("spf", sender.domain, sender.result)]
    identities += [dmarc.Identity("dkim", dmarc.domain_name(s.domain), s.result) for s in signatures]
    try:
        return dmarc.evaluate(authors[0], identities, lookups.txt)
    except LookupFailed:
        return dmarc.Verdict("temperror", authors[0])
