"""Suppressions: the addresses not to mail again, what became of them, and taking them back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from handlers.effects import State
from server import exports
from server.api.access import Reads, Suppresses
from server.api.addresses import check_addresses
from server.api.bodies import Addresses, Unbounce, Unwanted
from server.api.parameters import AskedForSuppressions, AskedToFollow, Order, Turning
from server.api.problems import Refused, invalid
from server.api.routes import answer, router, with_content
from storage import changes, hashing, lifting, records, shapes, suppression_records
from storage import suppressions as stored
from storage.checking import Found
from storage.checking import check as check_all
from storage.columns import address_key
from storage.pages import narrowed
from storage.tables import suppression, suppression_change

routes = router("suppressions")
_Form = Annotated[exports.Format, Query(alias="format")]


@routes.get("/suppressions", response_model=records.Items[suppression_records.Suppression], summary="List")
def suppressions(access: Reads, asked: AskedForSuppressions) -> Response:
    """What must not be mailed now: the account's own, and everyone's. `state` asks for others.

    Of what holds for everyone an account is told no category and no reason, and what is asked for by `reason` is
    its own.
    """
    now = datetime.now(UTC)
    statement = narrowed(
        stored.shown(None if asked.state == "all" else State(asked.state), now),
        (suppression.c.address, asked.address and address_key(asked.address)),
        (suppression.c.type, asked.type),
        (suppression.c.reason, asked.reason),
    )
    with access.reading() as mine:
        shared = asked.reason is None
        page = mine.page(statement, suppression.c.id, suppression.c.account_id, asked, shared=shared)
    return answer(page.shown(lambda row: mine.discreet(shapes.suppression(row, now))))


@routes.post("/suppressions", response_model=suppression_records.Added, responses=with_content(), summary="Suppress")
def suppress(access: Suppresses, body: Unwanted) -> Response:
    """Suppresses addresses, because you say so: unsubscribed, for instance. No bounce takes that back.

    An operator who names no account suppresses them for everyone.
    """
    now = datetime.now(UTC)
    if body.expires_at is not None and body.expires_at <= now:
        raise invalid("body", "expires_at", body.expires_at.isoformat(), "has passed: give a time to come")
    check_addresses((f"addresses.{number}", address) for number, address in enumerate(body.addresses))
    new = [stored.Said(address, expires_at=body.expires_at) for address in body.addresses]
    with access.writing() as mine:
        added = stored.add(mine.connection, mine.account_id, new, now=now, who=access.who(body.who), why=body.why)
    return answer({"added": added})


@routes.get(
    "/suppressions/changes",
    response_model=records.Items[suppression_records.SuppressionChange],
    summary="List what changed",
)
def changed(access: Reads, asked: AskedToFollow) -> Response:
    """What became of suppressions, oldest first: keep the cursor and ask again with it."""
    with access.reading() as mine:
        whose = suppression_change.c.account_id
        page = mine.page(changes.SHOWN, suppression_change.c.id, whose, asked, shared=True)
    return answer(page.shown(lambda row: mine.discreet(changes.shape(row))))


_LISTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The list, as long as it is",
        "content": {kind: {"schema": {"type": "string"}} for kind in exports.MEDIA_TYPES.values()},
    }
}


@routes.get("/suppressions/export", response_class=Response, responses=_LISTS, summary="Export")
def export(access: Reads, form: _Form = exports.Format.CSV) -> Response:
    """The suppressions that hold now, in one go: CSV, JSON Lines, or an access map of Postfix.

    In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe. An address that was erased
    is in no list, though a check finds it.
    """
    disposition = f'attachment; filename="{exports.FILES[form]}"'
    return StreamingResponse(
        exports.written(_holding(access), form),
        media_type=exports.MEDIA_TYPES[form],
        headers={"content-disposition": disposition},
    )


def _holding(access: Reads) -> Iterator[dict[str, Any]]:
    """Page by page, each in a transaction of its own: a slow reader keeps none open."""
    asked, holding = Turning(order=Order.OLDEST, limit=1000), stored.shown(State.ACTIVE, datetime.now(UTC))
    more = True
    while more:
        with access.reading() as mine:
            page = mine.page(holding, suppression.c.id, suppression.c.account_id, asked, shared=True)
        for row in map(shapes.suppression, page.rows):
            if not row["address"].startswith(hashing.PREFIX):
                yield mine.discreet(row)
        asked, more = asked.model_copy(update={"cursor": page.cursor}), page.more


@routes.post(
    "/suppressions/check",
    response_model=records.Answer[suppression_records.Checked],
    responses=with_content(),
    summary="Check addresses",
)
def check(access: Reads, body: Addresses) -> Response:
    """Which of up to ten thousand addresses not to mail, and why; in the order in which they were asked."""
    with access.reading() as mine:
        found = check_all(mine.connection, mine.account.id if mine.account else None, body.addresses)
    return answer({"items": [_checked(address, found.get(address)) for address in body.addresses]})


def _checked(address: str, found: Found | None) -> dict[str, Any]:
    suppressed = found is not None and not found.eligible
    return {"address": address, "suppressed": suppressed, "suppression": found.shape() if found else None}


@routes.post("/unbounce", response_model=suppression_records.Lifted, responses=with_content(409), summary="Unbounce")
def unbounce(access: Suppresses, body: Unbounce) -> Response:
    """Lets the account mail addresses again. Reports that came before suppress none of them again.

    What holds for everyone only an operator lifts, with `everyone`; without an account or `everyone`, an operator
    lifts what each account has of its own.
    """
    if body.everyone and access.key.account is not None:
        raise Refused(403, "everyone = true: what holds for everyone only an operator lifts")
    word = lifting.Word(access.who(body.who), body.why, datetime.now(UTC))
    most = access.service.settings.unbounce_per_day
    with access.writing() as mine:
        try:
            if body.everyone:
                lifted = lifting.lift_everyones(mine.connection, body.addresses, word, most)
            else:
                lifted = lifting.lift(mine.connection, body.addresses, mine.account_id, word, most)
        except lifting.TooMany as refused:
            raise Refused(409, str(refused)) from None
    return answer({"addresses": sorted({key.address for key in lifted})})
