"""The closed vocabularies. Every value stands in code, columns, JSON and docs in this spelling.

Sources: RFC 3464 2.3.3 (Action); the kinds, types, categories and reasons are ours, crossed with those of
HubSpot, SES, SparkPost, SendGrid, Postmark and Sisimai in docs/words.md.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What one capture is."""

    FAILURE = "failure"
    DELAY = "delay"
    SUCCESS = "success"
    AUTO_REPLY = "auto_reply"
    CHALLENGE = "challenge"
    MDN = "mdn"
    COMPLAINT = "complaint"
    REPORT = "report"  # DMARC, TLS-RPT, auth-failure, transcripts of a mail server
    HELD_NOTICE = "held_notice"
    OTHER = "other"


class Action(StrEnum):
    """RFC 3464 2.3.3: what the reporting MTA did for one recipient."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class Detectability(StrEnum):
    """Whether a capture can be tied to what was sent."""

    MATCHED = "matched"
    UNMATCHED = "unmatched"  # it names an original, but none of ours
    UNDETECTABLE = "undetectable"  # a bounce notice that carries nothing to tie it to a message
    NOT_A_BOUNCE = "not_a_bounce"


class NoticeForm(StrEnum):
    """How a notice is made."""

    DSN = "dsn"  # with a delivery-status part, RFC 3464
    TEXT = "text"  # the original or its headers come along, the outcome is told in text
    SEPARATE = "separate"  # a new e-mail that carries nothing of the original


class LinkMethod(StrEnum):
    """The rungs of the ladder that ties a capture to a delivery, strongest first."""

    TOKEN = "token"  # noqa: S105 - not a password
    ENVELOPE_ID = "envelope_id"
    MESSAGE_ID = "message_id"
    THREAD = "thread"
    BODY_TOKEN = "body_token"  # noqa: S105 - not a password


class BounceType(StrEnum):
    """The verdict on one delivery (HubSpot's words)."""

    HARD = "hard"
    SOFT = "soft"
    PENDING = "pending"
    GLOBAL = "global"


class Category(StrEnum):
    """What the operator should do about it: six for hard bounces, four more for soft ones."""

    UNKNOWN_USER = "unknown_user"
    MAILBOX_FULL = "mailbox_full"
    CONTENT = "content"
    SPAM = "spam"
    POLICY = "policy"
    OTHER = "other"
    RECIPIENT_PROBLEM = "recipient_problem"
    SECURITY_FILTER = "security_filter"
    NOT_AUTHORIZED = "not_authorized"
    TECHNICAL_PROBLEM = "technical_problem"


class Reason(StrEnum):
    """Why, finely."""

    USER_UNKNOWN = "user_unknown"
    BAD_ADDRESS = "bad_address"
    MAILBOX_MOVED = "mailbox_moved"
    MAILBOX_DISABLED = "mailbox_disabled"
    DOMAIN_UNKNOWN = "domain_unknown"
    DOMAIN_NO_MAIL = "domain_no_mail"
    MAILBOX_FULL = "mailbox_full"
    SYSTEM_FULL = "system_full"
    SYSTEM_ERROR = "system_error"
    MAILER_ERROR = "mailer_error"
    CONNECTION_FAILED = "connection_failed"
    DNS_FAILURE = "dns_failure"
    ROUTING_LOOP = "routing_loop"
    EXPIRED = "expired"
    MESSAGE_TOO_LARGE = "message_too_large"
    ATTACHMENT_REJECTED = "attachment_rejected"
    VIRUS_FOUND = "virus_found"
    CONTENT_REJECTED = "content_rejected"
    PROTOCOL_ERROR = "protocol_error"
    NOT_COMPLIANT = "not_compliant"
    SPAM_CONTENT = "spam_content"
    IP_BLOCKED = "ip_blocked"
    REPUTATION = "reputation"
    RATE_LIMITED = "rate_limited"
    GREYLISTED = "greylisted"
    AUTH_FAILED = "auth_failed"
    PTR_MISSING = "ptr_missing"
    POLICY_REJECTED = "policy_rejected"
    RECIPIENT_FILTERED = "recipient_filtered"
    SENDER_REJECTED = "sender_rejected"
    RELAY_DENIED = "relay_denied"
    TLS_REQUIRED = "tls_required"
    SECURITY_ERROR = "security_error"
    SUPPRESSED = "suppressed"
    UNKNOWN = "unknown"


class Profile(StrEnum):
    """Which mapping of reason to type and category holds (handlers/rules/profiles.toml)."""

    HUBSPOT = "hubspot"
    CONSERVATIVE = "conservative"
