"""Return paths for messages: signs the tokens and registers what they stand for, in one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from handlers import verp
from handlers.keys import AccountKey, account_key
from handlers.path import forward_path
from server.settings import Settings, UserError
from storage import accounts, database, messages
from storage.database import Database
from storage.keyring import open_or_create


@dataclass(frozen=True, slots=True)
class Request:
    """One message to one or more recipients; `count` of them."""

    recipients: tuple[str, ...]
    message_id: str = ""  # with or without angle brackets; "" makes one
    account: str = "default"
    subject: str = ""
    campaign: str = ""
    kind: str = "marketing"
    count: int = 1


def mint(settings: Settings, request: Request) -> list[dict[str, Any]]:
    """{"return_path", "recipient", "message_id", "envelope_id", "account"} for each. Raises UserError."""
    for recipient in request.recipients:
        if not is_address(recipient):
            raise UserError(f"recipient {recipient!r} is no address: give e.g. ann@example.com")
    settings.data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    ring = open_or_create(settings.data_dir)
    url = database.locate(settings.database_url, settings.data_dir)
    database.migrate(url)
    with Database(url) as db, db.writer() as connection:
        try:
            key = account_key(ring, accounts.ensure(connection, request.account).id)
            return [
                line
                for _ in range(request.count)
                for line in _one(connection, request, key, settings.return_path_domain)
            ]
        except ValueError as error:
            raise UserError(str(error)) from None


def _one(connection: Connection, request: Request, key: AccountKey, domain: str) -> Iterator[dict[str, Any]]:
    """Registers one message; a line for each of its recipients."""
    today = datetime.now(UTC).date()
    own = verp.mint_base(key, domain, today)  # for XVERP, too
    made = messages.register(
        connection,
        request.account,
        [(recipient, verp.mint(key, domain, recipient, today)) for recipient in request.recipients],
        message_id=bracketed(request.message_id) or f"<{own}@{domain}>",
        envelope_id=own,
        subject=request.subject or None,
        campaign=request.campaign or None,
        kind=request.kind,
        fresh=not request.message_id.strip("<> "),
    )
    for delivery in made:
        yield {
            "return_path": f"{delivery.token}@{domain}",
            "recipient": delivery.recipient,
            "message_id": delivery.message.message_id,
            # a message that was registered before keeps the one it has
            "envelope_id": delivery.message.envelope_id,
            "account": request.account,
        }


def is_address(recipient: str) -> bool:
    """Whether it can be mailed: RCPT's own grammar; its parameters and source routes are no address."""
    path = forward_path(f"TO:<{recipient}>")
    return path is not None and path.address == recipient and bool(path.domain)


def with_return_path(row: dict[str, Any], domain: str) -> dict[str, Any]:
    """A capture or a bounce whose message tells the address that it was sent from; null where it had no token."""
    if row["message"]:
        token = row["message"]["token"]
        row["message"]["return_path"] = f"{token}@{domain}" if token else None
    return row


def bracketed(message_id: str) -> str:
    """A Message-ID in its angle brackets, whether it came with or without; "" stays."""
    inner = message_id.strip().removeprefix("<").removesuffix(">")
    return f"<{inner}>" if inner else ""
