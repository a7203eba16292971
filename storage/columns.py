"""The column types: text and documents as both SQLite and PostgreSQL can hold them.

A capture may contain anything. PostgreSQL's text and jsonb hold no NUL and no lone surrogate, SQLite's driver
no lone surrogate: both become U+FFFD here, on the way in and in comparisons, and nowhere else.
"""

import re
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from storage import jsontext

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


LONGEST_ADDRESS = 500  # characters; a path of RFC 5321 4.5.3.1.3 has 256 octets
LONGEST_DOMAIN = 255  # RFC 5321 4.5.3.1.2


def address_key(address: str) -> str:
    """The address as a suppression has it: in lower case, and as the column would hold it."""
    return clean(address.lower())[:LONGEST_ADDRESS]


def clean(text: str) -> str:
    """The text with U+FFFD for what a database cannot hold."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


class CleanText(TypeDecorator[str]):
    """Text of any length, or cut to `limit` characters: an index of PostgreSQL takes no more than 2704 octets."""

    impl = Text
    cache_ok = True

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit = limit

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        # str() makes a plain string of a StrEnum, which the PostgreSQL driver would not take
        return None if value is None else clean(str(value))[: self.limit]


# a rowid in SQLite, 64 bits in PostgreSQL
Key = BigInteger().with_variant(Integer(), "sqlite")
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def dump(value: Any) -> str:
    """JSON for a Document column: the serializer of every engine."""
    text = jsontext.dumps(value)
    if "\\u0000" in text:  # perhaps a NUL, perhaps a backslash before the letters u0000
        text = jsontext.dumps(_clean_within(value))
    return clean(text)


def _clean_within(value: Any) -> Any:
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, dict):
        return {_clean_within(key): _clean_within(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_within(item) for item in value]
    return value
