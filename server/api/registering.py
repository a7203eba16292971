"""A request to register messages, in one transaction: all of it or nothing, and the same answer when it is repeated."""

import hashlib
import hmac
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection

from handlers import verp
from handlers.keys import AccountKey, Ring, account_key
from handlers.message import Account
from server.api.addresses import check_addresses
from server.api.bodies import MOST, NewMessage, NewRecipient, Registration
from server.api.problems import Refused, invalid
from server.minting import bracketed
from server.settings import Settings
from storage import api_requests, registration
from storage.keyring import open_or_create


def register(
    connection: Connection, settings: Settings, account: Account, body: Registration, idempotency_key: str | None
) -> list[dict[str, Any]]:
    """{"return_path", "recipient", "message_id", "envelope_id", "account", "delivery"} for each recipient."""
    _check(body)
    now = datetime.now(UTC)
    signer = _Signer(account, open_or_create(settings.data_dir), settings, now.date())
    if idempotency_key is not None:
        body_hash = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
        if not api_requests.remember(connection, account.id, idempotency_key, body_hash, now):
            raise invalid(
                "header", "Idempotency-Key", idempotency_key, "was said with other content: give each request its own"
            )
    new = [signer.message(number, each, idempotency_key) for number, each in enumerate(body.messages)]
    try:
        made = registration.register(connection, account, new, signer.mint, now)
    except ValueError as error:
        raise Refused(422, str(error)) from None
    return [_shown(each, account, settings.return_path_domain) for each in made]


def _shown(each: registration.Registered, account: Account, domain: str) -> dict[str, Any]:
    return {
        "return_path": f"{each.token}@{domain}" if each.token else None,
        "recipient": each.recipient,
        "message_id": each.message_id,
        "envelope_id": each.envelope_id,
        "account": account.name,
        "delivery": each.id,
    }


class _Signer:
    """Makes the messages of one request out of what was said, with what it takes to sign for the account."""

    def __init__(self, account: Account, ring: Ring, settings: Settings, today: date) -> None:
        self._key: AccountKey = account_key(ring, account.id)
        self._account, self._ring, self._today = account, ring, today
        # a rotation between two tries makes no other request of them
        oldest = min(ring.masters.values(), key=lambda master: master.created)
        self._oldest = (ring.account_key(account.id, oldest.kid) or self._key).secret
        self._domain = settings.return_path_domain

    def mint(self, recipient: str) -> str:
        return verp.mint(self._key, self._domain, recipient, self._today)

    def message(self, number: int, said: NewMessage, idempotency_key: str | None) -> registration.New:
        base = verp.mint_base(self._key, self._domain, self._today)
        recipients = tuple(
            registration.Recipient(each, "" if said.mint else None)
            if isinstance(each, str)
            else registration.Recipient(each.address, self._token(f"messages.{number}.recipients.{place}", each))
            for place, each in enumerate(said.recipients)
        )
        return registration.New(
            message_id=bracketed(said.message_id or "") or self._message_id(number, base, idempotency_key),
            recipients=recipients,
            envelope_id=said.envelope_id or base,
            subject=said.subject,
            campaign=said.campaign,
            kind=said.kind,
            sent_at=said.sent_at,
            fresh=not (said.message_id or said.envelope_id),
        )

    def _message_id(self, number: int, base: str, idempotency_key: str | None) -> str:
        if idempotency_key is None:
            return f"<{base}@{self._domain}>"
        told = b"bouncemx idempotency\0%d\0%b" % (number, idempotency_key.encode())
        return f"<{hmac.digest(self._oldest, told, 'sha256').hex()[:40]}@{self._domain}>"

    def _token(self, field: str, said: NewRecipient) -> str:
        """The token of a return path that was minted offline."""
        local_part, _, domain = said.return_path.rpartition("@")
        found = verp.verify(local_part, self._domain, self._ring, self._today)
        if domain.lower() != self._domain or not found.accepted or found.token is None:
            raise invalid(
                "body", f"{field}.return_path", said.return_path, f"is no return path of ours ({found.state})"
            )
        ours = found.token.account == self._account.id
        if not ours or not verp.is_for(found.token, said.address, self._ring):
            raise invalid("body", f"{field}.return_path", said.return_path, f"was not minted for {said.address}")
        return found.token.text


def _check(body: Registration) -> None:
    number = sum(len(each.recipients) for each in body.messages)
    if number > MOST:
        raise invalid("body", "messages", number, f"more than {MOST} recipients: send them in several requests")
    check_addresses(
        (f"messages.{number}.recipients.{place}", recipient)
        if isinstance(recipient, str)
        else (f"messages.{number}.recipients.{place}.address", recipient.address)
        for number, each in enumerate(body.messages)
        for place, recipient in enumerate(each.recipients)
    )
