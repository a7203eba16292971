"""Who calls, and which rows are his. Routes reach the database through here and by no other way.

Every statement of a route goes through Mine, which narrows it to the caller's account: a row of another account is
one that is not there (404), so that nobody learns that it is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, or_

from handlers.message import Account
from server.api.parameters import Order, Turning
from server.api.problems import Refused, invalid
from server.api.rates import Rates
from server.settings import Settings
from storage import accounts, api_keys
from storage.api_keys import ApiKey, Scope
from storage.database import Database, DatabaseUnusable

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    bearerFormat="bmx_ID_SECRET",
    description="`bouncemx api-keys add` makes one",
)
_Owner = ColumnElement[Any]
_OF_OTHERS = ("category", "reason", "capture", "source", "incident", "who", "why")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, and where the next page begins."""

    rows: Sequence[RowMapping]
    cursor: str | None
    more: bool

    def shown(self, shape: Callable[[RowMapping], dict[str, Any]]) -> dict[str, Any]:
        return {"items": [shape(row) for row in self.rows], "cursor": self.cursor, "more": self.more}


@dataclass(frozen=True, slots=True)
class Mine:
    """A transaction that sees the rows of one account; of all for an operator who names none."""

    connection: Connection
    account: Account | None

    @property
    def account_id(self) -> int | None:
        return self.account.id if self.account else None

    def discreet(self, shown: dict[str, Any]) -> dict[str, Any]:
        """A suppression, or a change of one, as the caller may know it.

        Of one for everyone an account is told no more than that there is one: the rest is of other accounts.
        """
        if self.account is None or shown["account"] is not None:
            return shown
        return shown | {name: None for name in _OF_OTHERS if name in shown}

    def of_mine(self, statement: Select[Any], owner: _Owner, *, shared: bool = False) -> Select[Any]:
        """The statement with the caller's rows alone; `shared`: and with those of no account."""
        if self.account is None:
            return statement
        own = owner == self.account.id
        return statement.where(or_(own, owner.is_(None)) if shared else own)

    def page(self, statement: Select[Any], key: _Owner, owner: _Owner, asked: Turning, *, shared: bool = False) -> Page:
        """One page of a list in the order of `key`, which the statement selects as id."""
        statement = self.of_mine(statement, owner, shared=shared)
        newest_first = asked.order is Order.NEWEST
        if asked.cursor is not None:
            behind = int(asked.cursor)
            statement = statement.where(key < behind if newest_first else key > behind)
        statement = statement.order_by(key.desc() if newest_first else key).limit(asked.limit + 1)
        rows = self.connection.execute(statement).mappings().all()
        shown, more = rows[: asked.limit], len(rows) > asked.limit
        # the oldest first may be asked again from the same cursor, when more has come in
        cursor = str(shown[-1]["id"]) if shown else asked.cursor
        return Page(shown, cursor if more or not newest_first else None, more)

    def one(
        self, statement: Select[Any], key: _Owner, owner: _Owner, value: int, *, shared: bool = False
    ) -> RowMapping:
        """The row with this id. Refused (404) where it is not there, or another account's."""
        found = self.of_mine(statement.where(key == value), owner, shared=shared)
        row = self.connection.execute(found).mappings().first()
        if row is None:
            raise not_there(str(value))
        return row


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes work on."""

    db: Database
    settings: Settings
    rates: Rates
    erasing: Lock = field(default_factory=Lock)  # one at a time: each reads all captures


@dataclass(frozen=True, slots=True)
class Access:
    """A caller with the scope that the route asks for."""

    service: Service
    key: ApiKey
    account: Account | None  # whose rows; None: an operator's who named none

    @contextmanager
    def reading(self) -> Iterator[Mine]:
        with self.service.db.reader() as connection:
            yield Mine(connection, self.account)

    @contextmanager
    def writing(self) -> Iterator[Mine]:
        with self.service.db.writer() as connection:
            yield Mine(connection, self.account)

    @property
    def account_id(self) -> int | None:
        return self.account.id if self.account else None

    @property
    def one_account(self) -> Account:
        """The account, where the route needs one."""
        if self.account is None:
            raise invalid("query", "account", None, "is missing: an operator's key says for which account")
        return self.account

    def who(self, named: str | None) -> str:
        """Who does it, for what is logged: the key, and the person whom the program names."""
        return f"key {self.key.id}" + (f": {named}" if named else "")


def not_there(what: str) -> Refused:
    return Refused(404, f"{what[:200]} is not here")


class Allows:
    """The dependency of a route that needs this scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(
        self,
        request: Request,
        background: BackgroundTasks,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
        account: Annotated[
            str | None,
            Query(max_length=200, description="For an operator's key: the account whose rows it is about; else all"),
        ] = None,
    ) -> Access:
        service: Service = request.app.state.service
        now = datetime.now(UTC)
        with service.db.reader() as connection:
            key = api_keys.find(connection, credentials.credentials, now) if credentials else None
            if key is None:
                raise _unauthorized(request)
            _check_rate(service.rates, key)
            _check_scope(key, self.scope)
            whose = _whose(connection, key, account)
        if api_keys.is_due(key, now):
            background.add_task(_note_use, service.db, key.id, now)
        return Access(service, key, whose)


def _unauthorized(request: Request) -> Refused:
    given = "authorization" in request.headers
    told = "the key is not good, or not any more" if given else "say a key: `Authorization: Bearer bmx_...`"
    challenge = 'Bearer error="invalid_token"' if given else "Bearer"  # RFC 6750 3
    return Refused(401, told, headers={"www-authenticate": challenge})


def _check_rate(rates: Rates, key: ApiKey) -> None:
    wait = rates.take(key.id)
    if wait:
        raise Refused(429, f"too many requests with this key: wait {wait} seconds", headers={"retry-after": str(wait)})


def _check_scope(key: ApiKey, scope: Scope) -> None:
    if not key.scopes & {scope, Scope.OPERATOR}:
        raise Refused(
            403,
            f"this needs the scope {scope}, and the key has {', '.join(sorted(key.scopes))}",
            headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        )


def _whose(connection: Connection, key: ApiKey, named: str | None) -> Account | None:
    if key.account is None:
        whose = accounts.find(connection, named) if named is not None else None
    else:
        whose = key.account if named in (None, key.account.name) else None
    if whose is None and (named is not None or key.account is not None):
        raise not_there(f"account {named!r}")
    return whose


def _note_use(db: Database, key: int, now: datetime) -> None:
    """When the answer is out; that it was used is worth no error."""
    try:
        with db.writer() as connection:
            api_keys.note_use(connection, key, now)
    except DatabaseUnusable:
        return


Reads = Annotated[Access, Depends(Allows(Scope.READ))]
Registers = Annotated[Access, Depends(Allows(Scope.REGISTER))]
Suppresses = Annotated[Access, Depends(Allows(Scope.SUPPRESS))]
Links = Annotated[Access, Depends(Allows(Scope.LINK))]
Erases = Annotated[Access, Depends(Allows(Scope.ERASE))]
SetsWebhooks = Annotated[Access, Depends(Allows(Scope.WEBHOOKS))]
HandsOutKeys = Annotated[Access, Depends(Allows(Scope.KEYS))]
Operates = Annotated[Access, Depends(Allows(Scope.OPERATOR))]
