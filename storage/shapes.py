"""Rows as the commands and the API show them: JSON-ready, in the words of the columns.

Scripts read these: fields are added, never renamed.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from handlers.words import State


def account(row: RowMapping) -> dict[str, Any]:
    """A line of `accounts --json`."""
    return {"id": row["id"], "name": row["name"], "owner": row["owner"], "created_at": moment(row["created_at"])}


def api_key(row: RowMapping) -> dict[str, Any]:
    """A line of `api-keys ls --json`; account null means an operator's. The secret is not in it."""
    return {
        "id": row["id"],
        "account": row["account"],
        "name": row["name"],
        "scopes": row["scopes"],
        "created_at": moment(row["created_at"]),
        "expires_at": moment(row["expires_at"]),
        "last_used_at": moment(row["last_used_at"]),
        "revoked_at": moment(row["revoked_at"]),
    }


def message(row: RowMapping) -> dict[str, Any]:
    """A line of `messages --json`; `deliveries` is how many there are."""
    return {
        "id": row["id"],
        "account": row["account"],
        "message_id": row["message_id"],
        "envelope_id": row["envelope_id"],
        "subject": row["subject"],
        "campaign": row["campaign"],
        "kind": row["kind"],
        "sent_at": moment(row["sent_at"]),
        "created_at": moment(row["created_at"]),
        "deliveries": row["deliveries"],
    }


def capture(row: RowMapping) -> dict[str, Any]:
    """A line of `captures --json`; what was sent stands in the columns that begin with original_."""
    return {
        "id": row["id"],
        "received_at": moment(row["received_at"]),
        "envelope": {
            "reverse_path": row["reverse_path"],
            "forward_paths": row["forward_paths"],
            "helo": row["helo"],
            "client": row["client"],
            "protocol": row["protocol"],
            "tls": row["tls"],
        },
        "subject": row["subject"],
        "message_id": row["message_id"],
        "kind": row["kind"],
        "detectability": row["detectability"],
        "notice_form": row["notice_form"],
        "undetectable_reason": row["undetectable_reason"],
        "gateway": row["gateway"],
        "language": row["language"],
        "receiving_domain": row["receiving_domain"],
        "hints": row["hints"],
        "links": row["links"],
        "linked_by_hand": None,
        "reporting_mta": row["reporting_mta"],
        "report": row["report"],
        "recipients": row["recipients"],
        "account": row["account"],
        "message": _original(row),
        "authentication": row["authentication"],
        "trust": row["trust"],
        "trust_reasons": row["trust_reasons"],
        "faults": row["faults"],
        "held": row["held"],
        "size": row["size"],
    }


def with_raw(shape: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """A capture with its octets, each as the character of the same number."""
    return {**shape, "raw": raw.decode("latin-1")}


def bounce(row: RowMapping) -> dict[str, Any]:
    """A line of `bounces --json`."""
    return {
        "id": row["id"],
        "capture": row["capture_id"],
        "address": row["address"],
        "account": row["account"],
        "token": row["token"],
        "message": _original(row),
        "type": row["type"],
        "category": row["category"],
        "reason": row["reason"],
        "rule": row["rule"],
        "status": row["status"],
        "smtp_code": row["smtp_code"],
        "diagnostic": row["diagnostic"],
        "action": row["action"],
        "proven": row["proven"],
        "span": row["span"],
        "guess": row["guess"],
        "confidence": row["confidence"],
        "created_at": moment(row["created_at"]),
    }


def suppression(row: RowMapping, now: datetime | None = None) -> dict[str, Any]:
    """A line of `suppressions --json`; account null: everyone; capture null: no single one is the cause."""
    over = (
        row["state"] == "active" and row["expires_at"] is not None and row["expires_at"] <= (now or datetime.now(UTC))
    )
    return {
        "address": row["address"],
        "account": row["account"],
        "type": row["type"],
        "category": row["category"],
        "reason": row["reason"],
        "since": moment(row["since"]),
        "capture": row["capture_id"],
        "state": "expired" if over else row["state"],
        "source": row["source"],
        "expires_at": moment(row["expires_at"]),
        "incident": row["incident_id"],
        "held_until": moment(row["held_until"]) if row["state"] == "held" else None,
    }


def hand_link(row: RowMapping) -> dict[str, Any]:
    """`linked_by_hand` of a capture: a person's word, which proves nothing."""
    return {
        "delivery": row["delivery_id"],
        "message": {name: row[name] for name in ("message_id", "subject", "campaign", "account", "recipient")},
        "who": row["who"],
        "when": moment(row["linked_at"]),
        "why": row["why"],
    }


def undone(row: RowMapping) -> dict[str, Any] | None:
    """Who took a link by hand back, when and why; None where it stands."""
    if row["undone_at"] is None:
        return None
    return {"who": row["undone_by"], "when": moment(row["undone_at"]), "why": row["undone_why"]}


def _original(row: RowMapping) -> dict[str, Any] | None:
    """The message and the recipient that it was sent to; None where no delivery is known."""
    if row["delivery_id"] is None:
        return None
    return {
        "message_id": row["original_message_id"],
        "envelope_id": row["original_envelope_id"],
        "subject": row["original_subject"],
        "campaign": row["original_campaign"],
        "kind": row["original_kind"],
        "account": row["account"],
        "recipient": row["original_recipient"],
        "token": row["original_token"],
        "delivery": row["delivery_id"],
        "state": row["original_state"] or State.SENT,
        "resolution": row["original_resolution"],
    }


def moment(value: datetime | None) -> str | None:
    """A time as JSON has it."""
    return value.isoformat() if value else None
