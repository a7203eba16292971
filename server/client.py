"""The API's client for Python programs: typed, synchronous, with nothing to it but httpx2.

with Client("http://127.0.0.1:8025", "bmx_...") as bouncemx:
    for sent in bouncemx.register([{"recipients": ["ann@example.com"], "message_id": "<42@example.com>"}]):
        print(sent["recipient"], sent["return_path"])
"""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NotRequired, TypedDict, cast

import httpx2

from storage.records import (
    Account,
    ApiKey,
    Bounce,
    Capture,
    Delivery,
    DeliveryWithRevisions,
    Message,
    NewApiKey,
    Registered,
    ResendContact,
    Statistics,
)
from storage.suppression_records import Certificate, Checked, Contact, Incident, Suppression, SuppressionChange
from storage.webhook_records import Event, NewWebhook, Webhook

_PREFIX = "/api/v1"
_MOST = 10_000  # addresses or messages of one request
_LONGEST_WAIT = 60.0


class OfflineRecipient(TypedDict):
    """A recipient with the return path that was minted for it."""

    address: str
    return_path: str


class NewMessage(TypedDict):
    """A message to register."""

    recipients: Sequence[str | OfflineRecipient]
    message_id: NotRequired[str]
    envelope_id: NotRequired[str]
    subject: NotRequired[str]
    campaign: NotRequired[str]
    kind: NotRequired[str]
    sent_at: NotRequired[str]
    mint: NotRequired[bool]


class Problem(Exception):
    """What the API did not do, and why (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail, self.errors = status, code, detail, list(errors)


class NotVerified(ValueError):
    """A webhook that we did not sign with this secret, or that is too old."""


class Client:
    """Calls the API with one key. Not for several threads at once."""

    def __init__(
        self, base_url: str, key: str, *, account: str | None = None, timeout: float = 30, tries: int = 4
    ) -> None:
        """`account`: for an operator's key, the account it is about. `tries`: where the API is busy or away."""
        self._http = httpx2.Client(
            base_url=base_url.rstrip("/") + _PREFIX,
            headers={"authorization": f"Bearer {key}"},
            params={"account": account} if account is not None else {},
            timeout=timeout,
        )
        self._tries = tries

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def register(self, messages: Iterable[NewMessage]) -> list[Registered]:
        """Register messages; each recipient with its return path, in the order given. Raises Problem.

        Ten thousand recipients go into a request; each request is safe to be tried again.
        """
        found: list[Registered] = []
        for part in _parts(messages):
            headers = {"idempotency-key": uuid.uuid4().hex}
            found += self._call("POST", "/messages", json={"messages": part}, headers=headers).json()["items"]
        return found

    def check(self, addresses: Iterable[str]) -> dict[str, Checked]:
        """What each address is suppressed for, by the spelling that was asked. Raises Problem."""
        found: dict[str, Checked] = {}
        left = iter(dict.fromkeys(addresses))
        while part := list(islice(left, _MOST)):
            items = self._call("POST", "/suppressions/check", json={"addresses": part}).json()["items"]
            found |= {each["address"]: each for each in items}
        return found

    def messages(self, **narrowed: str | int) -> Iterator[Message]:
        """Messages, newest first; narrowed by message_id, campaign."""
        return cast(Iterator[Message], self._all("/messages", narrowed))

    def deliveries(self, **narrowed: str | int) -> Iterator[Delivery]:
        """Deliveries, newest first; narrowed by recipient, message, state."""
        return cast(Iterator[Delivery], self._all("/deliveries", narrowed))

    def delivery(self, key: int) -> DeliveryWithRevisions:
        """One delivery, with every change of its state."""
        return cast(DeliveryWithRevisions, self._call("GET", f"/deliveries/{key}").json())

    def captures(self, **narrowed: str | int) -> Iterator[Capture]:
        """Captures, newest first; narrowed by kind, detectability."""
        return cast(Iterator[Capture], self._all("/captures", narrowed))

    def raw(self, capture: int) -> bytes:
        """The mail of a capture as it came in."""
        return self._call("GET", f"/captures/{capture}/raw").content

    def bounces(self, **narrowed: str | int) -> Iterator[Bounce]:
        """Bounces, newest first; narrowed by type, category, reason, address, capture, delivery."""
        return cast(Iterator[Bounce], self._all("/bounces", narrowed))

    def suppressions(self, **narrowed: str | int) -> Iterator[Suppression]:
        """Suppressions, newest first; narrowed by address, type, reason."""
        return cast(Iterator[Suppression], self._all("/suppressions", narrowed))

    def contact(self, address: str) -> Contact:
        """All that the account knows of an address."""
        return cast(Contact, self._call("GET", "/contacts", params={"address": address}).json())

    def suppress(self, addresses: Sequence[str], why: str, who: str | None = None) -> int:
        """Suppress addresses, because you say so. How many were not before."""
        body = {"addresses": list(addresses), "why": why, "who": who}
        return cast(int, self._call("POST", "/suppressions", json=body).json()["added"])

    def unbounce(
        self, addresses: Sequence[str], why: str, who: str | None = None, *, everyone: bool = False
    ) -> list[str]:
        """Mail these again; those that were suppressed. `everyone`: an operator takes back what holds for all."""
        body = {"addresses": list(addresses), "why": why, "who": who, "everyone": everyone}
        return cast(list[str], self._call("POST", "/unbounce", json=body).json()["addresses"])

    def suppression_changes(self, cursor: str | None = None) -> tuple[list[SuppressionChange], str | None]:
        """What became of suppressions behind a cursor, oldest first, and the cursor to ask with next time."""
        page = self._call("GET", "/suppressions/changes", params=_given({"cursor": cursor, "limit": 1000})).json()
        return page["items"], page["cursor"]

    def resend(self, message: int) -> Iterator[ResendContact]:
        """Who may get a message again: those whose bounce was soft, and who may still be mailed."""
        return cast(Iterator[ResendContact], self._all(f"/messages/{message}/resend", {}))

    def incidents(self, **narrowed: str | int) -> Iterator[Incident]:
        """Waves of refusals that speak of the sender, newest first; narrowed by state."""
        return cast(Iterator[Incident], self._all("/incidents", narrowed))

    def release(self, incident: int, why: str, who: str | None = None) -> Incident:
        """It was the sender: none of the suppressions that it holds comes."""
        return cast(Incident, self._call("POST", f"/incidents/{incident}/release", json=_word(why, who)).json())

    def confirm(self, incident: int, why: str, who: str | None = None) -> Incident:
        """It was the addresses: all suppressions that it holds come into force."""
        return cast(Incident, self._call("POST", f"/incidents/{incident}/confirm", json=_word(why, who)).json())

    def unbounce_incident(self, incident: int, why: str, who: str | None = None) -> list[str]:
        """Lift all suppressions that an incident caused, held or in force; which they were."""
        answer = self._call("POST", f"/incidents/{incident}/unbounce", json=_word(why, who))
        return cast(list[str], answer.json()["addresses"])

    def link(self, capture: int, delivery: int, why: str, who: str | None = None) -> Capture:
        """Say which delivery a capture is about that nothing ties."""
        body = _word(why, who) | {"delivery": delivery}
        return cast(Capture, self._call("POST", f"/captures/{capture}/link", json=body).json())

    def unlink(self, capture: int, why: str, who: str | None = None) -> Capture:
        """Take a link by hand back."""
        return cast(Capture, self._call("POST", f"/captures/{capture}/unlink", json=_word(why, who)).json())

    def erase(self, address: str, why: str, who: str | None = None) -> Certificate:
        """Remove everything about an address, but that it must not be mailed. It may take minutes: mind `timeout`."""
        return cast(Certificate, self._call("POST", "/erasures", json=_word(why, who) | {"address": address}).json())

    def erasures(self, address: str) -> list[Certificate]:
        """The certificates of an address that was erased."""
        found = self._call("GET", "/erasures", params={"address": address}).json()["items"]
        return cast(list[Certificate], found)

    def events(self, cursor: str | None = None) -> tuple[list[Event], str | None]:
        """The next events behind a cursor, oldest first, and the cursor to ask with next time: keep it."""
        page = self._call("GET", "/events", params=_given({"cursor": cursor, "limit": 1000})).json()
        return page["items"], page["cursor"]

    def statistics(self, since: str | None = None) -> Statistics:
        """How often what came in."""
        return cast(Statistics, self._call("GET", "/statistics", params=_given({"since": since})).json())

    def webhooks(self) -> list[Webhook]:
        """The endpoints that are told what happens."""
        return cast(list[Webhook], self._call("GET", "/webhooks").json()["items"])

    def add_webhook(self, url: str, events: Sequence[str] = ()) -> NewWebhook:
        """Tell an endpoint what happens from now on; the answer has its secret, this once."""
        return cast(NewWebhook, self._call("POST", "/webhooks", json={"url": url, "events": list(events)}).json())

    def remove_webhook(self, webhook: int) -> None:
        """Forget an endpoint, with its queue and history."""
        self._call("DELETE", f"/webhooks/{webhook}")

    def redeliver(self, webhook: int, events: Sequence[str] | None = None, since: str | None = None) -> int:
        """Send again: these events, or all since a time; where neither is given, the dead ones. How many."""
        body = _given({"since": since}) | ({"events": list(events)} if events is not None else {})
        return cast(int, self._call("POST", f"/webhooks/{webhook}/redeliver", json=body).json()["queued"])

    def api_keys(self) -> Iterator[ApiKey]:
        """The keys, without their secrets."""
        return cast(Iterator[ApiKey], self._all("/keys", {}))

    def add_api_key(self, scopes: Sequence[str], name: str = "") -> NewApiKey:
        """A new key; the answer has its text, this once."""
        return cast(NewApiKey, self._call("POST", "/keys", json={"scopes": list(scopes), "name": name}).json())

    def revoke_api_key(self, key: int) -> ApiKey:
        """Make a key worthless, from now on."""
        return cast(ApiKey, self._call("POST", f"/keys/{key}/revoke").json())

    def accounts(self) -> Iterator[Account]:
        """Every account, for an operator."""
        return cast(Iterator[Account], self._all("/accounts", {}))

    def _all(self, path: str, narrowed: Mapping[str, str | int]) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = self._call("GET", path, params=_given({**narrowed, "cursor": cursor})).json()
            yield from page["items"]
            cursor = page["cursor"]
            if not page["more"]:
                return

    def _call(self, method: str, path: str, **request: Any) -> httpx2.Response:
        may_repeat = method == "GET" or "headers" in request  # an Idempotency-Key
        for left in reversed(range(self._tries)):
            try:
                answer = self._http.request(method, path, **request)
            except httpx2.TransportError:
                if not left or not may_repeat:
                    raise
                time.sleep(1)
                continue
            if answer.is_success:
                return answer
            if answer.status_code not in (429, 503) or not left:
                raise _problem(answer)
            time.sleep(min(float(answer.headers.get("retry-after", 1)), _LONGEST_WAIT))
        raise AssertionError("tries is at least 1")


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes) -> Event:
    """The event of a webhook, with `body` as it was received. Raises NotVerified.

    `secret`: whsec_..., as it was told when the endpoint was made.
    """
    from standardwebhooks import Webhook as Verifier
    from standardwebhooks import WebhookVerificationError

    try:
        return cast(Event, Verifier(secret).verify(body, {name.lower(): value for name, value in headers.items()}))
    except (WebhookVerificationError, ValueError) as refused:
        raise NotVerified(str(refused)) from None


def _parts(messages: Iterable[NewMessage]) -> Iterator[list[NewMessage]]:
    """Of as many recipients as go into a request."""
    part: list[NewMessage] = []
    room = _MOST
    for message in messages:
        if len(message["recipients"]) > _MOST:
            raise ValueError(f"a message of more than {_MOST} recipients: give its message_id and its parts one by one")
        if len(message["recipients"]) > room:
            yield part
            part, room = [], _MOST
        part.append(message)
        room -= len(message["recipients"])
    if part:
        yield part


def _word(why: str, who: str | None) -> dict[str, Any]:
    return {"why": why, "who": who}


def _given(params: Mapping[str, str | int | None]) -> dict[str, str | int]:
    return {name: value for name, value in params.items() if value is not None}


def _problem(answer: httpx2.Response) -> Problem:
    if "problem+json" not in answer.headers.get("content-type", ""):
        return Problem(answer.status_code, "unknown", answer.text[:200])
    told = answer.json()
    return Problem(told["status"], told["code"], told["detail"], told["errors"])
