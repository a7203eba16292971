"""What the API answers when something is wrong: application/problem+json (RFC 9457) that names the way out."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
_LONGEST_VALUE = 200  # characters of a wrong value that are told back


class Fault(BaseModel):
    """One value of a request that can't be."""

    where: str = Field(description="`body`, `query`, `path` or `header`")
    field: str = Field(
        description="Its place: names and numbers from 0, with dots between", examples=["messages.0.kind"]
    )
    value: str | int | float | bool | None = Field(description="What was given, cut to 200 characters")
    detail: str = Field(description="What is wrong with it, and what to give")


class Problem(BaseModel):
    """RFC 9457, with a word for programs and the faults one by one."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Unprocessable Content",
                "status": 422,
                "code": "invalid",
                "detail": "messages.0.kind = 'spam': Input should be 'marketing' or 'one_to_one'",
                "errors": [
                    {
                        "where": "body",
                        "field": "messages.0.kind",
                        "value": "spam",
                        "detail": "Input should be 'marketing' or 'one_to_one'",
                    }
                ],
            }
        }
    )

    type: str = Field(description="about:blank: the title says it")
    title: str = Field(description="The words of the status code")
    status: int
    code: str = Field(description="One word for programs", examples=["invalid"])
    detail: str = Field(description="What is wrong here, and the way out")
    errors: list[Fault] = Field(description="Each value that can't be; empty where no single one is to blame")


CODES = {
    400: "malformed",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    410: "gone",
    413: "too_large",
    415: "unsupported_media_type",
    421: "unknown_name",
    422: "invalid",
    429: "too_many_requests",
    500: "broken",
    503: "database_away",
}
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # RFC 9110; Python 3.11 has the older names


class Refused(Exception):
    """A request that gets no more than a problem."""

    def __init__(
        self, status: int, detail: str, *, errors: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, tuple(errors), dict(headers or {})


def answer(
    status: int, detail: str, errors: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer for a problem."""
    content = {
        "type": "about:blank",
        "title": _TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "code": CODES.get(status, "refused"),
        "detail": detail,
        "errors": [fault.model_dump() for fault in errors],
    }
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def invalid(where: str, field: str, value: object, detail: str) -> Refused:
    """A value that only we could see is wrong."""
    return refused_for([Fault(where=where, field=field, value=_shown(value), detail=detail)])


def refused_for(faults: Sequence[Fault]) -> Refused:
    """All that is wrong with a request, 422."""
    told = "; ".join(_told(each) for each in faults[:3])
    more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
    return Refused(422, told + more, errors=faults)


def _told(fault: Fault) -> str:
    if fault.value is None and fault.detail.startswith("is missing"):
        return f"{fault.field or 'the content'} {fault.detail}"
    return f"{fault.field or 'the content'} = {fault.value!r}: {fault.detail}"


def of(fault: Mapping[str, Any]) -> Fault:
    """What FastAPI found in a request, in our words."""
    where, *place = fault["loc"] or ("body",)
    field = ".".join(str(each)[:80] for each in place)
    if fault["type"] == "extra_forbidden":
        detail = "is not known here: leave it out"
    elif fault["type"] == "missing":
        detail = "is missing: give it"
    elif fault["type"] == "json_invalid":
        detail, field = f"no JSON: {fault['ctx']['error']}", ""
    else:
        detail = str(fault["msg"]).removeprefix("Value error, ")
    value = None if fault["type"] in ("missing", "json_invalid") else _shown(fault.get("input"))
    return Fault(where=str(where), field=field, value=value, detail=detail)


def _shown(value: object) -> str | int | float | bool | None:
    """A value as it can be told back: short, and such that JSON can hold it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    return str(value)[:_LONGEST_VALUE].encode("utf-8", "replace").decode()


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route declares its problems."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


_DESCRIPTIONS = {
    400: "The content can't be read as JSON",
    401: "No key, or one that is not good (any more)",
    403: "The key has not the scope",
    404: "Not there, or another account's",
    405: "Not with this method",
    409: "It contradicts what is there",
    410: "The cursor is older than what is kept: take up without one",
    413: "More octets than `limits.api_body_octets`",
    415: "The content is not application/json",
    422: "A parameter or a field that is not known, missing or can't be",
    429: "More than `limits.api_requests` a minute; Retry-After says how many seconds to wait",
    503: "The database can't be used now; Retry-After says when to try again",
}
