"""docs/webhooks.md is what the code is, and its example of a receiver takes what we sign."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from handlers.events import EventType
from server.webhooks import signature
from server.webhooks.examples import content, examples
from tests import docs_webhooks

BODY = '{"type":"bounce.hard","data":{"diagnostic":"550 Grüße \\r\\nX-Evil: 1"}}'
NOW = datetime.now(UTC)


def read_of_the_docs() -> Any:
    code = re.search(r"```python\n(.*?)```", docs_webhooks.PAGE.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)  # noqa: S102 - our own page
    return names["read"]


def test_the_page_is_made_from_the_code() -> None:
    assert docs_webhooks.PAGE.read_text() == docs_webhooks.page()


def test_every_event_has_an_example() -> None:
    assert list(examples()) == list(EventType)
    assert all(example.means and example.data for example in examples().values())


def test_an_example_has_an_id_of_its_own() -> None:
    first, second = (content(EventType.COMPLAINT, "acme", NOW) for _ in range(2))
    assert first["id"].startswith("test_")
    assert first["id"] != second["id"]


def test_the_receiver_of_the_docs_takes_a_signed_webhook() -> None:
    secret = signature.new_secret()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    headers = signature.headers([secret], "evt_1", NOW, BODY)
    assert read_of_the_docs()(secret, BODY.encode(), headers)["type"] == "bounce.hard"


def test_while_a_secret_is_changed_both_verify() -> None:
    old, new, other = (signature.new_secret() for _ in range(3))
    headers = signature.headers([new, old], "evt_1", NOW, BODY)
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY, headers)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "evt_2"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": "v1,AAAA"},
    ],
)
def test_what_was_changed_on_the_way_is_refused(change: dict[str, str]) -> None:
    secret = signature.new_secret()
    headers = signature.headers([secret], "evt_1", NOW, BODY) | change
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers)


def test_an_old_webhook_is_refused() -> None:
    secret = signature.new_secret()
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, signature.headers([secret], "evt_1", NOW - timedelta(minutes=6), BODY))
