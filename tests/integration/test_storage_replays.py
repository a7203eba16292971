"""The first proof of a failure is found in an index of proofs, and not among all the reports that repeat it."""

import pytest
from sqlalchemy import Select, text

from storage import replays
from storage.database import Database


@pytest.mark.parametrize(
    ("statement", "asked", "index"),
    [
        (replays._OF_DELIVERIES, {"deliveries": [1, 2]}, "ix_bounce_proof_of_delivery"),
        (replays._OF_TOKENS, {"tokens": ["t"], "addresses": ["a@x.example"]}, "ix_bounce_proof_of_token"),
    ],
)
def test_the_index_is_used(
    database: Database, statement: Select[tuple[object, ...]], asked: dict[str, object], index: str
) -> None:
    engine = database._readers
    written = str(statement.params(judged=[7, 8], **asked).compile(engine, compile_kwargs={"literal_binds": True}))
    with database.reader() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # a table without rows needs no index
        how = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        plan = connection.exec_driver_sql(f"{how} {written}").all()
    assert index in str(plan)
