"""Which Idempotency-Key was said with which content."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from storage.tables import api_request
from storage.upsert import insert_new

KEPT = timedelta(days=7)  # a program that tries again does so sooner


def remember(connection: Connection, account_id: int, key: str, body_hash: str, now: datetime) -> bool:
    """Keep what a key was said with. False where it was said with something else."""
    connection.execute(delete(api_request).where(api_request.c.created_at < now - KEPT))
    row = {"account_id": account_id, "key": key, "body_hash": body_hash, "created_at": now}
    connection.execute(insert_new(connection, api_request), row)
    ours = select(api_request.c.body_hash).where(api_request.c.account_id == account_id, api_request.c.key == key)
    said: str = connection.execute(ours).scalar_one()
    return said == body_hash
