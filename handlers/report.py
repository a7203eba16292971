"""What a capture says, in the words of RFC 3464. parse() makes these; every later step reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handlers.words import Action, Kind, NoticeForm


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """One per-recipient group (RFC 3464 2.3), or what a text notice says of one recipient."""

    final_recipient: str  # bare address, case kept
    original_recipient: str | None = None  # bare address, xtext decoded
    action: Action | None = None  # None where the notice names none and none follows from its words
    # RFC 3463 "5.1.1": the remote's own from the text where it is finer, else the field; "5.0.0" for a bare 5yz reply
    status: str | None = None
    status_field: str | None = None  # the Status field as it stands
    smtp_code: int | None = None  # the remote's reply code, 400 to 599 (250 for success)
    diagnostic_type: str | None = None  # "smtp", "x-postfix", "x-unix", ...
    diagnostic_code: str | None = None  # unfolded text of the remote's reply, or of the notice where it has no field
    remote_mta: str | None = None  # host name, without its type
    last_attempt_date: str | None = None
    will_retry_until: str | None = None
    final_log_id: str | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses by which the report names this recipient."""
        return tuple(filter(None, (self.original_recipient, self.final_recipient)))


@dataclass(frozen=True, slots=True)
class Original:
    """What the notice carries of the message that bounced."""

    where: str  # "rfc822", "rfc822-headers" or "inline"
    message_id: str | None = None  # with angle brackets
    subject: str | None = None  # decoded
    from_: str | None = None
    to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case name -> first value, at most 64


KIND_GUESSED = "kind_guessed"  # the fault of a capture whose kind no phrase and no field tells (handlers/parse/tone.py)


@dataclass(frozen=True, slots=True)
class Report:
    """One capture, parsed. Broken mail is told in `faults`, never raised."""

    kind: Kind
    notice_form: NoticeForm | None = None  # None where the capture is no delivery notice
    recipients: tuple[RecipientStatus, ...] = ()
    # RFC 3464 2.2, per message
    reporting_mta: str | None = None
    dsn_gateway: str | None = None
    received_from_mta: str | None = None
    original_envelope_id: str | None = None  # xtext decoded
    arrival_date: str | None = None
    # what it names of the original
    original: Original | None = None
    in_reply_to: tuple[str, ...] = ()  # Message-IDs with angle brackets
    references: tuple[str, ...] = ()
    addresses_in_text: tuple[str, ...] = ()  # addresses printed in the notice's own text, at most 64
    # the capture itself
    subject: str = ""
    from_: str = ""
    message_id: str | None = None
    date: str | None = None
    dialect: str = ""  # which reader understood it: "rfc3464", "qmail", "exim", ...
    gateway: str | None = None  # Mimecast, Proofpoint, ... by its signature headers
    language: str | None = None  # of the notice's own words: "en", "de", ...
    text: str = ""  # the notice's own words, decoded, without the original; at most 16 KiB
    suggestion: Mapping[str, str | bool | None] | None = None  # returns_on, left, new_address
    faults: tuple[str, ...] = ()
