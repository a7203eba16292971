"""Where to look when nothing ties a capture to a delivery. A hint never proves anything, even a single one."""

from collections.abc import Iterable
from typing import Any

from handlers import quoted
from handlers.bounce import Link
from handlers.message import Delivery
from handlers.report import Report
from handlers.words import Detectability, Kind, LinkMethod

_OPEN = {Detectability.UNMATCHED, Detectability.UNDETECTABLE}
_NOTICES = {Kind.FAILURE, Kind.DELAY}
_MOST_STATED = 20


def hints(report: Report, links: Iterable[Link], detectability: Detectability) -> dict[str, Any] | None:
    """JSON-ready: what a notice that nothing ties says of the original. None for any other capture.

    Gateways put ids of their own where the sender's would stand (RFC 3464 2.2.1): the gateway can look them up.
    """
    if detectability not in _OPEN:
        return None
    foreign = (each.value for each in links if (each.method, each.state) == (LinkMethod.ENVELOPE_ID, "foreign"))
    stated = dict.fromkeys(address for recipient in report.recipients for address in recipient.addresses)
    return {
        "proof": False,
        "stated_recipients": list(stated)[:_MOST_STATED],
        "quoted_subject": quoted.subject(report),
        "gateway_reference": next(foreign, None),
    }


def receiving_domain(report: Report, delivery: Delivery | None) -> str | None:
    """The domain that a notice is about: of the delivery's recipient, else of the stated one, else the reporter's.

    In lower case; None for what is no notice, and where nothing names a domain.
    """
    if report.kind not in _NOTICES:
        return None
    stated = (address for recipient in report.recipients for address in recipient.addresses)
    addresses = (delivery.recipient if delivery else "", *stated, _bare(report.from_))
    domains = (address.rpartition("@")[2] for address in addresses if "@" in address)
    found = next((domain for domain in domains if domain), report.reporting_mta or "")
    return found.removesuffix(".").lower() or None


def _bare(from_: str) -> str:
    """The address of a From field: in angle brackets, else the word with the at sign."""
    inner = from_.rpartition("<")[2].partition(">")[0]
    return next((word.strip("()[],;:\"'") for word in inner.split() if "@" in word), "")
