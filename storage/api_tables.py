"""The tables of the API: its keys, and the requests that may come again."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.columns import CleanText, Document
from storage.schema import NEVER_AGAIN, table_of


class ApiKey(SQLModel, table=True):
    """What a program calls the API with, without its secret; no account means an operator."""

    __tablename__ = "api_key"
    __table_args__ = NEVER_AGAIN
    id: int | None = Field(default=None, primary_key=True)
    account_id: int | None = Field(foreign_key="account.id", index=True)
    name: str = Field(sa_type=CleanText)
    scopes: list[str] = Field(sa_type=Document)
    secret_hash: str = Field(sa_type=CleanText)  # SHA-256: the secret has 256 random bits, so nobody can guess it
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class ApiRequest(SQLModel, table=True):
    """A request that says its Idempotency-Key, so that the same key is not used for another one."""

    __tablename__ = "api_request"
    account_id: int = Field(foreign_key="account.id", primary_key=True)
    key: str = Field(sa_type=CleanText, primary_key=True)
    body_hash: str = Field(sa_type=CleanText)
    created_at: datetime = Field(index=True)


api_key, api_request = table_of(ApiKey), table_of(ApiRequest)
