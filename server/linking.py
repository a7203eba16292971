"""A person ties a capture that nothing ties to a delivery. It is kept who, when and why; nothing follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from handlers.message import Delivery
from handlers.words import Detectability
from server.settings import UserError
from storage import captures, hand_links
from storage.columns import address_key
from storage.ledger import Ledger

_OPEN = {Detectability.UNMATCHED, Detectability.UNDETECTABLE}
_LONGEST_WHO, _LONGEST_WHY = 250, 1000  # characters


@dataclass(frozen=True, slots=True)
class Said:
    """A person's word."""

    who: str
    why: str

    def __post_init__(self) -> None:
        """Raises UserError for one that nobody could read later."""
        for name, text, longest in (("--who", self.who, _LONGEST_WHO), ("--why", self.why, _LONGEST_WHY)):
            if not text.strip() or not text.isprintable() or len(text) > longest:
                raise UserError(f"{name} is 1 to {longest} printable characters, not {text[:80]!r}")


def link(connection: Connection, capture: int, delivery: int, said: Said) -> None:
    """Raises UserError where the capture is tied already, or is no bounce."""
    found = captures.get(connection, capture)
    if found is None:
        raise _no_capture(capture)
    if found["detectability"] not in _OPEN:
        raise UserError(f"capture {capture} is {found['detectability']}: only unmatched and undetectable ones are open")
    if not hand_links.link(connection, capture, delivery, said.who, said.why):
        standing = found["linked_by_hand"]
        raise UserError(
            f"{standing['who']} has linked capture {capture} to delivery {standing['delivery']}: unlink it first"
        )


def unlink(connection: Connection, capture: int, said: Said) -> None:
    """Raises UserError where nobody has linked it."""
    if captures.get(connection, capture) is None:
        raise _no_capture(capture)
    if not hand_links.unlink(connection, capture, said.who, said.why):
        raise UserError(f"nobody has linked capture {capture} by hand")


def delivery(connection: Connection, named: str, recipient: str, domain: str) -> Delivery:
    """The one with this number, return path or Message-ID, and this recipient where one is given. Raises UserError."""
    found = _named(Ledger(connection), named, recipient, domain)
    if recipient:
        found = [each for each in found if address_key(each.recipient) == address_key(recipient)]
    if not found:
        of = f" to {recipient}" if recipient else ""
        raise UserError(f"no delivery{of} is known by {named}; `bouncemx messages` shows what was registered")
    if len(found) > 1:
        fitting = ", ".join(f"{each.id} ({each.recipient}, account {each.message.account.name})" for each in found[:5])
        raise UserError(f"{named} has several deliveries: name --recipient, or one by its number, such as {fitting}")
    return found[0]


def _named(ledger: Ledger, named: str, recipient: str, domain: str) -> Sequence[Delivery]:
    if named.isascii() and named.isdigit():
        by_number = ledger.by_number(int(named))
        return [by_number] if by_number else []
    local_part, _, at = named.rpartition("@")
    by_token = ledger.by_token(local_part.lower()) if at.lower() == domain else None
    if by_token:
        return [by_token]
    inner = named.strip().removeprefix("<").removesuffix(">")
    return ledger.by_message_id(f"<{inner}>", [recipient] if recipient else [])


def _no_capture(capture: int) -> UserError:
    return UserError(f"there is no capture {capture}; `bouncemx captures` shows them")
