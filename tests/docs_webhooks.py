"""docs/webhooks.md out of the events and their examples: python -m tests.docs_webhooks writes it, a test holds it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from handlers.events import EventType
from server.webhooks.examples import Example, examples
from server.webhooks.patience import Patience
from storage.webhook_queue import SUPERSEDING
from storage.webhooks import MOST

PAGE = Path(__file__).parents[1] / "docs" / "webhooks.md"
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

HEAD = """\
# Webhooks

bouncemx tells your endpoints what happens, by HTTP POST, signed as [Standard
Webhooks](https://www.standardwebhooks.com) says: receivers have libraries for most languages.

    bouncemx webhooks add https://hooks.example.com/bounces --account default --events bounce.hard,complaint
    bouncemx webhooks test 1

The first prints the secret, the second sends an example. Without `--account` an endpoint is the operator's, and is
told what concerns anybody. An account has at most {most} endpoints. [commands.md](commands.md) has the other
commands.

## What arrives

```http
POST /bounces HTTP/1.1
Host: hooks.example.com
Content-Type: application/json
webhook-id: evt_12
webhook-timestamp: {timestamp}
webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

{body}
```

| field | meaning |
|---|---|
| id | of the event, as in `webhook-id`: the same on every try and at every endpoint |
| type | one of the [events](#events) |
| timestamp | when it happened; `webhook-timestamp` is when it was sent |
| account | whom it concerns; null: the operator |
| delivery | the recipient of a message that it is about; null: none that is known |
| sequence | counts the events of a delivery, from 1 |
| data | what happened; fields may be added, so pass over those that you do not know |
| superseded | the earlier events of the delivery that waited and that this one replaces: id, type, sequence |

Answer 2xx when you have stored it, within {timeout:g} seconds. Do your work afterwards.

## How to verify it

With a library, in Python (`pip install standardwebhooks`):

```python
from standardwebhooks.webhooks import Webhook


def read(secret: str, body: bytes, headers: dict[str, str]) -> dict[str, object]:
    return Webhook(secret).verify(body, headers)  # raises WebhookVerificationError
```

By hand: the signature is the base64 of HMAC-SHA256 over `webhook-id`, a dot, `webhook-timestamp`, a dot and the body
as it came, with the octets that the secret is the base64 of (without `whsec_`) as the key. Compare in constant time,
take any of the signatures in the header (there are two while a secret is changed), and refuse a timestamp more than
five minutes away.

`bouncemx webhooks rotate` gives a new secret; the old one signs along for a day, or for `--hours`.

## What you can rely on

- **At least once.** An event is stored in the transaction that made it true, and is sent until you answer 2xx. It may
  come twice: keep the ids that you have seen.
- **In order per delivery.** An event waits until the earlier ones of its delivery are taken, given up or superseded.
  When one comes twice, or is redelivered by hand, an older one can follow a newer one: pass over a `sequence` that is
  not above the last one. Between deliveries there is no order.
- **The newest state counts.** While {superseding} wait to be sent, a
  newer one of these of the same delivery replaces them, and names them in `superseded`. Nothing else is replaced.
- **Nobody waits for another endpoint.** Each has {at_once} tries at once of its own.

## When you do not answer 2xx

It is tried again after about {pauses} seconds and so on, twice as long each time up to 6 hours, for {days:g} days
(`webhook_pause`, `webhook_days`); a `Retry-After` in seconds lengthens a pause. Then it is a dead letter: `bouncemx
webhooks queue 1 --state dead` shows them and `bouncemx webhooks redeliver 1` sends them again, under the same ids.

After {failures} failures in a row, whatever events they were, the endpoint is *broken*: one event at a time probes
it, first after seconds, later once an hour. When it takes one, all that waits is sent at once. Events older than
{days:g} days are dead letters then.

410 Gone disables an endpoint, and so does `bouncemx webhooks disable`: what is queued waits, and what happens
meanwhile is not queued. After `enable`, `redeliver 1 --since TIME` brings it. Redirects are not followed: 3xx is a
failure.

`bouncemx webhooks history 1` shows the tries of the last {history:g} days (`webhook_history_days`): status,
milliseconds and the beginning of the answer.

## Where webhooks may go

Accounts choose the URLs, and bouncemx stands inside of your network. So a webhook reaches public addresses only, by
https, at `webhook_ports`. Networks in `webhook_networks_allowed` may be reached too, by http and at any port:

    webhook_networks_allowed = ["10.20.0.0/16"]

Whoever may make webhooks can then read what answers there: the history has the beginning of it.

The name is looked up once for each try, over DNS alone (no hosts file); if any of its addresses is not allowed,
nothing is sent; the connection goes to an address that was looked at, with the name in Host and TLS. No proxy of the
environment is used. What is wrong with a name stands in the log, not in the history: that is for accounts. Certificates
are verified against those of the system, or `SSL_CERT_FILE`.

## Without webhooks

The [API](api.md) gives the same events by pulling: each page has a cursor; keep it, and ask again with it. The shape
is that of a webhook, without `superseded`. Nothing is replaced there.

Events are kept for `event_days`, from the first on, and with them what was queued of them and its history: what is
older can't be redelivered, and a cursor from before is 410. The sequence of a delivery counts on.

## Events

| type | meaning |
|---|---|
"""


def page() -> str:
    """What docs/webhooks.md must be."""
    from server.settings import Settings
    from server.webhooks.sender import AT_ONCE

    settings = {name: field.default for name, field in Settings.model_fields.items()}
    patience = Patience()
    head = HEAD.format(
        most=MOST,
        timestamp=int(AT.timestamp()),
        body=_json(_content(EventType.BOUNCE_HARD, examples()[EventType.BOUNCE_HARD])),
        timeout=settings["webhook_timeout"],
        superseding=", ".join(f"`{each}`" for each in EventType if each in SUPERSEDING),
        at_once=AT_ONCE,
        pauses=", ".join(f"{patience.first.total_seconds() * 2**n:g}" for n in range(4)),
        days=settings["webhook_days"],
        failures=patience.failures,
        history=settings["webhook_history_days"],
    )
    rows = [f"| `{kind}` | {example.means} |" for kind, example in examples().items()]
    return "\n".join([head + "\n".join(rows), "", *_examples()])


def _examples() -> Iterator[str]:
    for kind, example in examples().items():
        yield f"### {kind}\n\n```json\n{_json(example.data)}\n```\n"


def _content(kind: EventType, example: Example) -> dict[str, object]:
    return {
        "id": "evt_12",
        "type": str(kind),
        "timestamp": AT.isoformat(),
        "account": "default",
        "delivery": 7,
        "sequence": 2,
        "data": example.data,
        "superseded": [{"id": "evt_9", "type": "bounce.pending", "sequence": 1}],
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    PAGE.write_text(page())
