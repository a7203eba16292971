"""Addresses that were erased: a keyed hash stands in their place, so that they are still found and no longer read.

The key is random and of this database alone. Without it nobody can test an address; with it one can, as a check does.
"""

import hashlib
import secrets
from collections.abc import Iterable

from sqlalchemy import Connection, select

from storage.tables import secret
from storage.upsert import insert_new

PREFIX = "hash:"  # no address of ours begins so: their local parts have no colon without quotes (RFC 5321 4.1.2)
_NAME = "erasure"
_VALUE = select(secret.c.value).where(secret.c.name == _NAME)


def key(connection: Connection) -> bytes | None:
    """The key; None where nothing was ever erased."""
    found: bytes | None = connection.execute(_VALUE).scalar()
    return found


def ensure_key(connection: Connection) -> bytes:
    """The key, made where it is missing."""
    connection.execute(insert_new(connection, secret), {"name": _NAME, "value": secrets.token_bytes(32)})
    return bytes(connection.execute(_VALUE).scalar_one())


def hashed(address: str, hash_key: bytes) -> str:
    """What stands for the address (as storage.columns.address_key makes it): BLAKE2b with a key, RFC 7693."""
    return all_hashed([address], hash_key)[0]


def all_hashed(addresses: Iterable[str], hash_key: bytes) -> list[str]:
    """hashed() of many: a copy of what the key made costs less than to begin with the key for each."""
    begun = hashlib.blake2b(key=hash_key, digest_size=20)
    hashes = []
    for address in addresses:
        each = begun.copy()
        each.update(address.encode())
        hashes.append(PREFIX + each.hexdigest())
    return hashes
