"""What may be sent to the API. An unknown field is refused, like an unknown parameter."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.events import EventType
from server.api.parameters import LARGEST, Moment
from storage.api_keys import Scope

MOST = 10_000  # of anything in one request

_Text = Annotated[str, Field(max_length=998)]


class NewRecipient(BaseModel):
    """A recipient whose return path your application has minted with the key of the account."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(max_length=320, examples=["ann@example.com"])
    return_path: str = Field(max_length=320, description="Its token is verified: it must be for this address")


class NewMessage(BaseModel):
    """A message that is, or was, sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_id: _Text | None = Field(
        None, description="Of its header, with or without angle brackets; made where it is not given"
    )
    recipients: list[Annotated[str, Field(max_length=320)] | NewRecipient] = Field(
        min_length=1, max_length=MOST, description="Addresses, or addresses with the return path each has"
    )
    mint: bool = Field(
        True, strict=True, description="Give each a return path. False: known by Message-ID and envelope id alone"
    )
    envelope_id: _Text | None = Field(None, description="ENVID (RFC 3461), where your mailer sends one of its own")
    subject: _Text | None = None
    campaign: _Text | None = None
    kind: Literal["marketing", "one_to_one"] = "marketing"
    sent_at: Moment | None = None


class Registration(BaseModel):
    """Up to ten thousand messages, with as many recipients together."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "example": {
                "messages": [
                    {
                        "message_id": "<42@news.example.com>",
                        "recipients": ["ann@example.com", "bob@example.com"],
                        "subject": "June",
                        "campaign": "spring",
                    }
                ]
            }
        },
    )

    messages: list[NewMessage] = Field(min_length=1, max_length=MOST)


class Addresses(BaseModel):
    """Up to ten thousand addresses."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"addresses": ["ann@example.com", "bob@example.com"]}},
    )

    addresses: list[Annotated[str, Field(min_length=1, max_length=320)]] = Field(min_length=1, max_length=MOST)


_Why = Annotated[str, Field(min_length=1, max_length=998, pattern=r"\S")]
_Who = Annotated[str, Field(min_length=1, max_length=200, description="The person; the key is logged anyway")]


class Unwanted(Addresses):
    """Addresses to suppress."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"addresses": ["ann@example.com"], "why": "unsubscribed"}},
    )

    why: _Why
    who: _Who | None = None
    expires_at: Moment | None = Field(None, description="Suppressed until then; else until it is lifted")


class Unbounce(Addresses):
    """Addresses to mail again."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"addresses": ["ann@example.com"], "why": "her new mailbox works", "who": "Eve"}},
    )

    why: _Why
    who: _Who | None = None
    everyone: bool = Field(False, strict=True, description="For an operator's key: take back what holds for everyone")


class Word(BaseModel):
    """Why, and who says so."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"example": {"why": "our address was on a list", "who": "Eve"}}
    )

    why: _Why
    who: _Who | None = None


class Link(Word):
    """Which delivery a capture is about."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"delivery": 12, "why": "their support told us", "who": "Eve"}},
    )

    delivery: int = Field(ge=0, le=LARGEST, strict=True)


class Erasure(Word):
    """Whose everything goes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"address": "ann@example.com", "why": "her request of 4 May", "who": "Eve"}},
    )

    address: str = Field(min_length=3, max_length=320, pattern=r"^[^\s@]([^\r\n]*[^\s])?@[^\s@]+$")


class NewAccount(BaseModel):
    """An account to make."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"example": {"name": "shop", "owner": "Acme Ltd"}}
    )

    name: str = Field(min_length=1, max_length=200)
    owner: str | None = Field(None, min_length=1, max_length=200, description="Who has it; else an owner of its own")


class NewKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"example": {"name": "newsletter", "scopes": ["read"]}}
    )

    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    name: str = Field("", max_length=200, description="What it is for")
    expires_at: Moment | None = Field(None, description="Good until then; else until it is revoked")


class NewWebhook(BaseModel):
    """An endpoint to tell what happens."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"url": "https://hooks.example.com/bounces", "events": ["bounce.hard"]}},
    )

    url: str = Field(max_length=2000)
    events: list[EventType] = Field([], max_length=len(EventType), description="The types wanted; none: all")


class OtherWebhook(BaseModel):
    """What is to be otherwise; what is not given stays."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": {"enabled": True}})

    url: str | None = Field(None, max_length=2000)
    events: list[EventType] | None = Field(None, max_length=len(EventType), description="The types wanted; none: all")
    enabled: bool | None = Field(None, strict=True)


class NewSecret(BaseModel):
    """How a secret is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": {"hours": 24}})

    hours: float = Field(24, strict=True, ge=0, le=24 * 365, description="How long the old one signs along")


class Redelivery(BaseModel):
    """What is to be sent again."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": {"events": ["evt_12"]}})

    events: list[Annotated[str, Field(pattern=r"^evt_[0-9]{1,18}$")]] | None = Field(
        None, min_length=1, max_length=1000
    )
    since: Moment | None = None
