"""What is counted as a blind spot, against what; in the storage, by the command and on the page."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from handlers.outcome import Outcome
from handlers.report import RecipientStatus
from handlers.words import Detectability, Kind
from server.web.application import site
from storage import blindspots, hand_links, messages
from storage.database import Database
from storage.store import store

Make = Callable[..., Outcome]
NOW = datetime.now(UTC)
MATCHED, UNMATCHED, UNDETECTABLE, OTHER = (
    Detectability.MATCHED,
    Detectability.UNMATCHED,
    Detectability.UNDETECTABLE,
    Detectability.NOT_A_BOUNCE,
)


@pytest.fixture
def add(database: Database, outcome_of: Make) -> Callable[..., int]:
    """add(detectability, gateway, domain, reason=, language=, days=): stores a capture so many days old."""
    numbers = iter(range(1, 10_000))

    def store_one(
        detectability: Detectability,
        gateway: str | None,
        domain: str,
        reason: str | None = None,
        language: str | None = None,
        days: float = 0.0,
    ) -> int:
        key = next(numbers)
        outcome = outcome_of(key, detectability=detectability, undetectable_reason=reason)
        envelope = replace(outcome.mail.envelope, received_at=NOW - timedelta(days=days, minutes=1))
        kind = Kind.OTHER if detectability is OTHER else Kind.FAILURE
        stated = (RecipientStatus(f"ann@{domain}"),)
        report = replace(outcome.report, kind=kind, gateway=gateway, language=language, recipients=stated)
        with database.writer() as connection:
            mail = replace(outcome.mail, envelope=envelope)
            store(connection, [replace(outcome, mail=mail, report=report)], "worker", key + 1)
        return key

    return store_one


def rows(database: Database, days: float = 30) -> dict[tuple[str, str | None], dict[str, Any]]:
    with database.reader() as connection:
        found = list(blindspots.listing(connection, NOW - timedelta(days=days)))
    assert found[0]["by"] == "all"
    return {(each["by"], each["name"]): each for each in found}


def counts(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(row[name] for name in ("bounces", "matched", "unmatched", "undetectable"))


def test_nothing_was_seen(database: Database) -> None:
    ((key, row),) = rows(database).items()
    assert (key, counts(row), row["reasons"], row["languages"]) == (("all", None), (0, 0, 0, 0), {}, {})


def test_each_is_counted_once(database: Database, add: Callable[..., int]) -> None:
    add(MATCHED, None, "a.example")
    add(MATCHED, "Mimecast", "b.example")
    add(UNMATCHED, "Mimecast", "b.example")
    add(UNDETECTABLE, "Mimecast", "b.example", "recipient_only", "de")
    add(UNDETECTABLE, "Mimecast", "B.example", "recipient_only", "en")
    add(UNDETECTABLE, None, "c.example", "nothing_quoted")
    add(OTHER, "Mimecast", "b.example")
    found = rows(database)
    assert {key: counts(row) for key, row in found.items()} == {
        ("all", None): (6, 2, 1, 3),
        ("gateway", "Mimecast"): (4, 1, 1, 2),
        ("gateway", None): (2, 1, 0, 1),
        ("receiving_domain", "b.example"): (4, 1, 1, 2),
        ("receiving_domain", "c.example"): (1, 0, 0, 1),
    }
    mimecast = found["gateway", "Mimecast"]
    assert (mimecast["reasons"], mimecast["languages"]) == ({"recipient_only": 2}, {"de": 1, "en": 1})
    assert found["all", None]["reasons"] == {"recipient_only": 2, "nothing_quoted": 1}
    assert found["receiving_domain", "c.example"]["languages"] == {"unknown": 1}


def test_the_period_bounds_everything(database: Database, add: Callable[..., int]) -> None:
    for days in (0, 3, 40):
        add(UNDETECTABLE, "IronPort", "a.example", "recipient_only", "en", days=days)
        add(MATCHED, "IronPort", "a.example", days=days)
    for days, number in ((1, 1), (7, 2), (60, 3)):
        found = rows(database, days)
        for key in (("all", None), ("gateway", "IronPort"), ("receiving_domain", "a.example")):
            assert counts(found[key]) == (2 * number, number, 0, number)
            assert found[key]["reasons"] == {"recipient_only": number}


def test_those_that_are_worst_come_first(
    database: Database, add: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blindspots, "TOP", 2)
    for domain, number in (("a.example", 1), ("b.example", 3), ("c.example", 2)):
        for _ in range(number):
            add(UNDETECTABLE, domain[0], domain, "recipient_only")
    found = list(rows(database))
    assert found == [
        ("all", None),
        *(("gateway", name) for name in "bca"),
        *(("receiving_domain", f"{name}.example") for name in "bc"),
    ]


def test_what_a_person_linked_is_told_and_stays_a_blind_spot(database: Database, add: Callable[..., int]) -> None:
    first, second = (add(UNDETECTABLE, "IronPort", "a.example", "recipient_only") for _ in range(2))
    with database.writer() as connection:
        delivery = messages.register(connection, "acme", [("ann@a.example", "t")], message_id="<m@s.example>")[0]
        hand_links.link(connection, first, delivery.id, "eve", "she called")
        hand_links.link(connection, second, delivery.id, "eve", "she called")
        hand_links.unlink(connection, second, "eve", "it was another")
    for key in (("all", None), ("gateway", "IronPort"), ("receiving_domain", "a.example")):
        assert (rows(database)[key]["undetectable"], rows(database)[key]["linked_by_hand"]) == (2, 1)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_no_capture_is_read_for_it(database: Database, add: Callable[..., int]) -> None:
    """A capture is large: each statement finds all it needs in an index."""
    add(UNDETECTABLE, "IronPort", "a.example", "recipient_only")
    with database.reader() as connection:
        asked: list[tuple[str, Any]] = []
        event.listen(connection, "before_cursor_execute", lambda *seen: asked.append((seen[2], seen[3])))
        list(blindspots.listing(connection, NOW - timedelta(days=30)))
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all() for sql, values in list(asked)]
    steps = [row[3] for plan in plans for row in plan if " capture" in row[3]]
    assert len(steps) >= 9
    by_key = "SEARCH capture USING INTEGER PRIMARY KEY"  # of the few that a person linked
    assert [step for step in steps if "COVERING INDEX" not in step and not step.startswith(by_key)] == []


def test_the_page(database: Database, add: Callable[..., int], tmp_path: Path) -> None:
    add(UNDETECTABLE, "<b>Gate</b>", "a.example", "recipient_only", "de")
    add(UNDETECTABLE, None, "old.example", "nothing_quoted", days=20)
    add(MATCHED, None, "a.example")
    with TestClient(site(database, tmp_path / "journal"), base_url="http://localhost") as client:
        page, day = client.get("/blindspots").text, client.get("/blindspots?period=day").text
        refused = client.get("/blindspots?since=1").status_code
    assert "&lt;b&gt;Gate&lt;/b&gt;" in page
    assert "<b>2</b> of 3 bounces" in page
    assert "<b>1</b> of 2 bounces" in day
    assert "old.example" in page
    assert "old.example" not in day
    assert "recipient_only 1" in page
    assert refused == 422


def test_the_page_when_nothing_was_seen(database: Database, tmp_path: Path) -> None:
    with TestClient(site(database, tmp_path / "journal"), base_url="http://localhost") as client:
        assert "No undetectable notices in this period." in client.get("/blindspots").text
