"""Return paths for messages: signs the tokens and registers what they stand for, in one transaction."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from handlers import verp
from handlers.keys import account_key
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
        if forward_path(f"TO:<{recipient}>") is None:
            raise UserError(f"recipient {recipient!r} is no address: give e.g. ann@example.com")
    settings.data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    ring = open_or_create(settings.data_dir)
    url = database.locate(settings.database_url, settings.data_dir)
    database.migrate(url)
    domain = settings.return_path_domain
    today = datetime.now(UTC).date()
    minted = []
    with Database(url) as db, db.writer() as connection:
        try:
            key = account_key(ring, accounts.ensure(connection, request.account).id)
            for _ in range(request.count):
                # the message's own token: what comes back with it can be told from what somebody made up
                own = verp.mint_base(key, domain, today)
                message_id = _bracketed(request.message_id) or f"<{own}@{domain}>"
                tokens = [(recipient, verp.mint(key, domain, recipient, today)) for recipient in request.recipients]
                messages.register(
                    connection, request.account, tokens, message_id=message_id, envelope_id=own,
                    subject=request.subject or None, campaign=request.campaign or None, kind=request.kind,
                )  # fmt: skip
                minted += [
                    {
                        "return_path": f"{token}@{domain}",
                        "recipient": recipient,
                        "message_id": message_id,
                        "envelope_id": own,
                        "account": request.account,
                    }
                    for recipient, token in tokens
                ]
        except ValueError as error:
            raise UserError(str(error)) from None
    return minted


def _bracketed(message_id: str) -> str:
    inner = message_id.strip().removeprefix("<").removesuffix(">")
    return f"<{inner}>" if inner else ""
