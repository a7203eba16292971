"""What may stand behind the question mark, and in a path."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from handlers.events import EventType
from handlers.words import BounceType, Category, Detectability, Kind, Reason, State

LARGEST = 2**63 - 1
Id = Annotated[int, Path(ge=0, le=LARGEST)]
SmallId = Annotated[int, Path(ge=0, le=2**31 - 1)]  # accounts, keys, webhooks: 32 bits in PostgreSQL


def _written(value: Any) -> Any:
    """A number would be taken for seconds since 1970."""
    if not isinstance(value, str) or value[4:5] != "-":
        raise ValueError("give a time such as 2026-03-04T05:06:07Z")
    return value


def _in_utc(value: datetime) -> datetime:
    """The year 1 has hours that UTC has not, and so has 9999."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside of the years 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
Address = Annotated[str, Field(min_length=1, max_length=320, examples=["ann@example.com"])]


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"


class Turning(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(frozen=True)

    cursor: str | None = Field(
        None, pattern=r"^[0-9]{1,18}$", description="The page behind this cursor, which the page before it told"
    )
    limit: int = Field(100, ge=1, le=1000, description="Items of a page")
    order: Order = Field(Order.NEWEST, description="`oldest` follows what comes in: ask again with the last cursor")


class CapturesAsked(Turning):
    limit: int = Field(50, ge=1, le=100, description="Items of a page")
    kind: Kind | None = None
    detectability: Detectability | None = None


class BouncesAsked(Turning):
    type: BounceType | None = None
    category: Category | None = None
    reason: Reason | None = None
    address: Address | None = Field(None, description="Case is ignored")
    capture: int | None = Field(None, ge=0, le=LARGEST, description="Those drawn from this capture")
    delivery: int | None = Field(None, ge=0, le=LARGEST, description="Those of this delivery")


class MessagesAsked(Turning):
    message_id: str | None = Field(None, max_length=998, description="With its angle brackets")
    campaign: str | None = Field(None, max_length=998)


class DeliveriesAsked(Turning):
    recipient: Address | None = Field(None, description="Case is ignored")
    message: int | None = Field(None, ge=0, le=LARGEST, description="Those of the message with this id")
    state: State | None = None


class TriesAsked(BaseModel):
    """Newest first, always."""

    model_config = ConfigDict(frozen=True)

    cursor: str | None = Field(
        None, pattern=r"^[0-9]{1,18}$", description="The page behind this cursor, which the page before it told"
    )
    limit: int = Field(50, ge=1, le=1000, description="Items of a page")

    @property
    def before(self) -> int | None:
        return None if self.cursor is None else int(self.cursor)


class ResendAsked(TriesAsked):
    """In the order in which they were registered."""

    limit: int = Field(500, ge=1, le=1000, description="Items of a page at most: who must not be mailed is left out")


class DispatchesAsked(TriesAsked):
    state: Literal["queued", "delivered", "superseded", "dead"] | None = None


class SuppressionsAsked(Turning):
    address: Address | None = Field(None, description="Case is ignored")
    type: BounceType | None = None
    reason: Reason | None = None
    state: Literal["active", "held", "lifted", "expired", "all"] = Field(
        "active", description="How they stand; `active` ones must not be mailed now"
    )


class Following(Turning):
    order: Order = Field(Order.OLDEST, description="`oldest` follows what comes in")


class EventsAsked(Following):
    type: EventType | None = None
    delivery: int | None = Field(None, ge=0, le=LARGEST, description="Those of this delivery")


class IncidentsAsked(Turning):
    state: Literal["open", "closed"] | None = None


class StatisticsAsked(BaseModel):
    model_config = ConfigDict(frozen=True)

    since: Moment | None = Field(None, description="From when on; 30 days ago where it is not given")


AskedForCaptures = Annotated[CapturesAsked, Query()]
AskedForBounces = Annotated[BouncesAsked, Query()]
AskedForMessages = Annotated[MessagesAsked, Query()]
AskedForDeliveries = Annotated[DeliveriesAsked, Query()]
AskedForSuppressions = Annotated[SuppressionsAsked, Query()]
AskedForEvents = Annotated[EventsAsked, Query()]
AskedForResend = Annotated[ResendAsked, Query()]
AskedForTries = Annotated[TriesAsked, Query()]
AskedForDispatches = Annotated[DispatchesAsked, Query()]
AskedForStatistics = Annotated[StatisticsAsked, Query()]
AskedToFollow = Annotated[Following, Query()]
AskedForIncidents = Annotated[IncidentsAsked, Query()]
AskedForPage = Annotated[Turning, Query()]
