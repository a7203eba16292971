"""What may stand behind the question mark of each page. An unknown name is refused, an empty value is none."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from handlers.words import BounceType, Detectability, Kind
from server.web.period import Period

LARGEST = 2**63 - 1


def _none_where_empty(value: Any) -> Any:
    return None if value == "" else value


_EMPTY = BeforeValidator(_none_where_empty)
_Text = Annotated[Annotated[str, Field(max_length=200)] | None, _EMPTY]
_Key = Annotated[Annotated[int, Field(ge=0, le=LARGEST)] | None, _EMPTY]


class Turning(BaseModel):
    """Where a list begins: below an id, or above one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: _Key = None
    since: _Key = None


class CapturesAsked(Turning):
    kind: Annotated[Kind | None, _EMPTY] = None
    detectability: Annotated[Detectability | None, _EMPTY] = None
    text: _Text = None


class BouncesAsked(Turning):
    type: Annotated[BounceType | None, _EMPTY] = None
    address: _Text = None


class SuppressionsAsked(Turning):
    address: _Text = None


class OverviewAsked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    period: Period = Period.DAY


class BlindspotsAsked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    period: Period = Period.MONTH


def _nothing(request: Request) -> None:
    if request.query_params:
        name = next(iter(request.query_params))
        raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name), "msg": "is not known here"}])


Nothing = Depends(_nothing)
ForBlindspots = Annotated[BlindspotsAsked, Query()]
ForOverview = Annotated[OverviewAsked, Query()]
ForCaptures = Annotated[CapturesAsked, Query()]
ForBounces = Annotated[BouncesAsked, Query()]
ForMessages = Annotated[Turning, Query()]
ForSuppressions = Annotated[SuppressionsAsked, Query()]
