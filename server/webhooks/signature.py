"""The signature of a webhook: Standard Webhooks 1.0, by its library."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks.webhooks import Webhook

_OCTETS = 32  # the specification wants 24 to 64


def new_secret() -> str:
    """A secret as receivers are given it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_OCTETS)).decode("ascii")


def headers(secrets_: Sequence[str], name: str, at: datetime, body: str) -> dict[str, str]:
    """The three headers; signed with each secret, so that a receiver may have the old or the new one."""
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(name, at, body) for secret in secrets_),
    }
