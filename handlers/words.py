"""The closed vocabularies. Every value stands in code, columns, JSON and docs in this spelling.

Sources: RFC 3464 2.3.3 (Action); the kinds, types, categories and reasons are ours, crossed with those of
HubSpot, SES, SparkPost, SendGrid, Postmark and Sisimai in docs/words.md.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What one capture is."""

    FAILURE = "failure"  # a mail did not arrive, for good
    DELAY = "delay"  # a mail has not arrived yet, and is being tried again
    SUCCESS = "success"  # a mail was delivered, relayed or expanded (RFC 3464 2.3.3)
    AUTO_REPLY = "auto_reply"  # vacation, acknowledgement (RFC 3834): the mail arrived
    CHALLENGE = "challenge"  # a filter wants the sender to confirm that they are a person
    MDN = "mdn"  # a receipt: read, deleted (RFC 8098)
    COMPLAINT = "complaint"  # somebody called it spam (ARF, RFC 5965)
    REPORT = "report"  # DMARC, TLS-RPT, auth-failure, transcripts of a mail server
    HELD_NOTICE = "held_notice"  # moderation or quarantine: the outcome is open
    OTHER = "other"  # people, newsletters, phishing, a bounce that a person forwarded


class Action(StrEnum):
    """RFC 3464 2.3.3: what the reporting MTA did for one recipient."""

    FAILED = "failed"  # given up
    DELAYED = "delayed"  # not delivered so far, tried again
    DELIVERED = "delivered"  # in the mailbox
    RELAYED = "relayed"  # handed on to where no report comes from
    EXPANDED = "expanded"  # handed on to several, as by an alias


class Detectability(StrEnum):
    """Whether a capture can be tied to what was sent."""

    MATCHED = "matched"  # tied to a message of ours by at least one link
    UNMATCHED = "unmatched"  # it names an original, but none of ours
    UNDETECTABLE = "undetectable"  # a bounce notice that carries nothing to tie it to a message
    NOT_A_BOUNCE = "not_a_bounce"  # it reports no failure and no delay


class NoticeForm(StrEnum):
    """How a notice is made."""

    DSN = "dsn"  # with a delivery-status part, RFC 3464
    TEXT = "text"  # the original or its headers come along, the outcome is told in text
    SEPARATE = "separate"  # a new e-mail that carries nothing of the original


class LinkMethod(StrEnum):
    """The rungs of the ladder that ties a capture to a delivery, strongest first."""

    TOKEN = "token"  # noqa: S105 - not a password
    ENVELOPE_ID = "envelope_id"  # Original-Envelope-Id (RFC 3464 2.2.1)
    MESSAGE_ID = "message_id"  # Message-ID in what the notice brings back
    THREAD = "thread"  # In-Reply-To or References
    BODY_TOKEN = "body_token"  # noqa: S105 - not a password


class Trust(StrEnum):
    """How far a capture is believed that reports on a delivery (docs/trust.md)."""

    PROVEN = "proven"  # it may have an effect on the delivery
    PLAUSIBLE = "plausible"  # nothing speaks against it, but others could have written it
    SUSPECT = "suspect"  # nothing ties it to what was sent, or something in it is not true


class TrustReason(StrEnum):
    """What speaks for and against a capture (docs/trust.md)."""

    TOKEN = "token"  # it came to the return path that is signed for this recipient  # noqa: S105
    TOKEN_RETURNED = "token_returned"  # it brings back the return path that is signed for this recipient  # noqa: S105
    RECIPIENT_DOMAIN = "recipient_domain"  # SPF or DKIM proves that the recipient's domain wrote it
    RECIPIENT_MX = "recipient_mx"  # the client is an MX of the recipient's domain
    OWN_RELAY = "own_relay"  # one of your own relays wrote it, and did not pass it on
    BASE_TOKEN = "base_token"  # it came to the return path of the message, which all its recipients know  # noqa: S105
    ENVELOPE_ID = "envelope_id"  # it names the message by its envelope id, which all its recipients know
    MESSAGE_ID = "message_id"  # it names the message by its Message-ID, which all its recipients know
    THREAD = "thread"  # only In-Reply-To or References name a message of ours
    BODY_TOKEN = "body_token"  # only its text names a return path of ours  # noqa: S105
    FIELDS = "fields"  # the fields of a DSN state the outcome (RFC 3464 2.3)
    CODE = "code"  # a text states the outcome with a reply code (RFC 5321) or an enhanced one (RFC 3463)
    NO_CODE = "no_code"  # a text without any code states the outcome
    NO_FAILURE = "no_failure"  # it states no failure of this recipient
    NO_RECIPIENT = "no_recipient"  # it does not say whom it is about
    KIND_GUESSED = "kind_guessed"  # that it is a bounce was guessed from how its words sound
    PERSON = "person"  # neither the null reverse path nor the name of a mail server: a person may have written it
    REPLAY = "replay"  # the same was reported of this delivery before
    DMARC_FAIL = "dmarc_fail"  # the domain in From does not stand for it
    SPF_FAIL = "spf_fail"  # the client may not use the domain that it gives
    OTHER_RECIPIENT = "other_recipient"  # it is about others than the message that it is tied to was sent to
    OTHER_MESSAGE = "other_message"  # it brings back another message of ours than the one it is tied to
    FORGED_TOKEN = "forged_token"  # it came to a return path that looks like ours, and is not  # noqa: S105
    NO_LINK = "no_link"  # nothing ties it to what was sent
    DNS_FAILED = "dns_failed"  # whom the client speaks for could not be looked up


class BounceType(StrEnum):
    """The verdict on one delivery (HubSpot's words)."""

    HARD = "hard"  # for good
    SOFT = "soft"  # for now
    PENDING = "pending"  # a delay: it is being tried again
    GLOBAL = "global"  # hard for several accounts


class State(StrEnum):
    """What became of a delivery, by all that was heard of it (docs/states.md)."""

    SENT = "sent"  # nothing was heard
    PENDING = "pending"  # delayed, and being tried again
    SOFT = "soft"  # did not arrive, for now
    HARD = "hard"  # did not arrive, for good, and that is proven
    DELIVERED = "delivered"  # in the mailbox (RFC 3464 2.3.3)


class Resolution(StrEnum):
    """Why a delivery is soft without a proven report of it; such a one counts towards no threshold."""

    ASSUMED = "assumed"  # nothing was heard for so long after the first delay
    UNPROVEN = "unproven"  # a report says that it failed, and nothing proves the report


class Cause(StrEnum):
    """What changed a state."""

    CAPTURE = "capture"  # a report
    CLOCK = "clock"  # the time for one is over
    OPERATOR = "operator"  # somebody had the captures judged again


class Category(StrEnum):
    """What the operator should do about it: six for hard bounces, four more for soft ones."""

    UNKNOWN_USER = "unknown_user"
    MAILBOX_FULL = "mailbox_full"
    CONTENT = "content"
    SPAM = "spam"
    POLICY = "policy"
    OTHER = "other"  # people, newsletters, phishing, a bounce that a person forwarded
    RECIPIENT_PROBLEM = "recipient_problem"
    SECURITY_FILTER = "security_filter"
    NOT_AUTHORIZED = "not_authorized"
    TECHNICAL_PROBLEM = "technical_problem"


class Reason(StrEnum):
    """Why, finely."""

    USER_UNKNOWN = "user_unknown"  # no such mailbox
    BAD_ADDRESS = "bad_address"  # not an address the host can read
    MAILBOX_MOVED = "mailbox_moved"  # moved or gone elsewhere
    MAILBOX_DISABLED = "mailbox_disabled"  # there, but switched off
    DOMAIN_UNKNOWN = "domain_unknown"  # no such domain or host
    DOMAIN_NO_MAIL = "domain_no_mail"  # the domain takes no mail (RFC 7505)
    MAILBOX_FULL = "mailbox_full"
    SYSTEM_FULL = "system_full"  # the host's disk is full
    SYSTEM_ERROR = "system_error"  # the host has trouble of its own
    MAILER_ERROR = "mailer_error"  # a program behind the address failed
    CONNECTION_FAILED = "connection_failed"  # the host was not reached or hung up
    DNS_FAILURE = "dns_failure"  # its name could not be looked up
    ROUTING_LOOP = "routing_loop"  # the mail went round
    EXPIRED = "expired"  # tried for too long
    MESSAGE_TOO_LARGE = "message_too_large"
    ATTACHMENT_REJECTED = "attachment_rejected"  # a kind of file that is not taken
    VIRUS_FOUND = "virus_found"
    CONTENT_REJECTED = "content_rejected"  # something in it, not called spam
    PROTOCOL_ERROR = "protocol_error"  # the SMTP talk went wrong
    NOT_COMPLIANT = "not_compliant"  # the mail breaks RFC 5322
    SPAM_CONTENT = "spam_content"  # called spam for what it says
    IP_BLOCKED = "ip_blocked"  # the sending address is on a list
    REPUTATION = "reputation"  # a bad score of address or domain
    RATE_LIMITED = "rate_limited"  # too much at once
    GREYLISTED = "greylisted"  # come back later, as to all strangers
    AUTH_FAILED = "auth_failed"  # SPF, DKIM or DMARC
    PTR_MISSING = "ptr_missing"  # the sending address has no name
    POLICY_REJECTED = "policy_rejected"  # a rule of the host that it does not name
    RECIPIENT_FILTERED = "recipient_filtered"  # the recipient's own rule
    SENDER_REJECTED = "sender_rejected"  # this sender is not taken
    RELAY_DENIED = "relay_denied"  # the host does not take mail for the address
    TLS_REQUIRED = "tls_required"  # only over TLS
    SECURITY_ERROR = "security_error"  # a login or a permission is missing
    SUPPRESSED = "suppressed"  # a service upstream did not try
    UNKNOWN = "unknown"  # nothing tells


class Profile(StrEnum):
    """Which mapping of reason to type and category holds (handlers/rules/profiles.toml)."""

    HUBSPOT = "hubspot"
    CONSERVATIVE = "conservative"
