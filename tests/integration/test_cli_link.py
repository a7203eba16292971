"""bouncemx link, unlink and blindspots: what a person knows, kept and shown, and nothing follows from it."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from handlers.envelope import Envelope
from server import minting
from server.settings import Settings
from server.web.application import site
from server.worker import compose
from storage import journal
from storage.database import Database, locate
from tests.integration.cli_fixture import Bouncemx

pytestmark = pytest.mark.usefixtures("clean_process")

NOTICE = """From: Postmaster <postmaster@gone.example>
To: bounces@rp.example
Subject: [Postmaster] Email Delivery Failure
X-Mimecast-Originator: <>

Your message could not be delivered.

-- ann@gone.example

The problem appears to be: 550 5.1.1 User unknown

Subject: Spring
"""
SAID = ("--who", "Eve", "--why", "ann called")


@dataclass
class Desk:
    """A data folder with a message to two people, and four captures about them."""

    bouncemx: Bouncemx
    folder: Path
    minted: list[dict[str, Any]]
    undetectable: int
    matched: int
    person: int

    def run(self, *words: object) -> Any:
        return self.bouncemx(*words, folder=self.folder)

    def capture(self, key: int | None = None) -> dict[str, Any]:
        wanted = self.undetectable if key is None else key
        found: dict[str, Any] = next(row for row in self.run("captures", "--json").rows if row["id"] == wanted)
        return found


@dataclass(frozen=True)
class Stock:
    """What the worker made of the mails; each test has a copy."""

    folder: Path
    minted: list[dict[str, Any]]
    ids: list[int]


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    folder = tmp_path_factory.mktemp("link") / "data"
    folder.mkdir()
    (folder / "bouncemx.toml").write_text('return_path_domain = "rp.example"\nauthenticate = false\n')
    settings = Settings(data_dir=folder)
    request = minting.Request(("Ann@gone.example", "bob@x.example"), "m1@s.example", subject="Spring")
    minted = minting.mint(settings, request)
    notice = NOTICE.replace("\n", "\r\n").encode()
    at = datetime.now(UTC) + timedelta(seconds=5)
    to = ("bounces@rp.example", minted[0]["return_path"], "bounces@rp.example")
    mails = (notice, notice, b"From: ann@gone.example\r\nSubject: Hello\r\n\r\nHow are you?\r\n")
    with journal.Writer(settings.journal) as writer:
        pairs = zip(to, mails, strict=True)
        ids = writer.write([(Envelope("", (path,), "mx.example", "192.0.2.7", at), raw) for path, raw in pairs])
        with compose(settings) as worker:
            while worker.step():
                pass
    return Stock(folder, minted, ids)


@pytest.fixture
def desk(bouncemx: Bouncemx, tmp_path: Path, stock: Stock) -> Desk:
    folder = tmp_path / "data"
    shutil.copytree(stock.folder, folder)
    return Desk(bouncemx, folder, stock.minted, *stock.ids)


def test_hints_tell_where_to_look(desk: Desk) -> None:
    found = desk.capture()
    assert (found["detectability"], found["undetectable_reason"]) == ("undetectable", "subject_and_recipient_only")
    assert (found["gateway"], found["language"], found["receiving_domain"]) == ("Mimecast", "en", "gone.example")
    (candidate,) = found["hints"].pop("candidates")
    assert found["hints"] == {
        "proof": False,
        "stated_recipients": ["ann@gone.example"],
        "quoted_subject": "Spring",
        "gateway_reference": None,
        "candidate_count": 1,
    }
    assert (candidate["recipient"], candidate["message_id"]) == ("Ann@gone.example", "<m1@s.example>")
    assert desk.capture(desk.matched)["hints"] is None
    assert desk.capture(desk.person)["hints"] is None
    assert found["message"] is None


@pytest.mark.parametrize(
    "named",
    [
        ["1"],
        ["{0}"],
        ["<m1@s.example>", "--recipient", "ANN@gone.example"],
        ["m1@s.example", "--recipient", "ann@gone.example"],
    ],
)
def test_a_delivery_is_named_in_every_way(desk: Desk, named: list[str]) -> None:
    words = [each.format(desk.minted[0]["return_path"].upper()) for each in named]
    said = desk.run("link", desk.undetectable, *words, *SAID)
    assert (said.code, said.err) == (0, "")
    assert said.text == (f"Capture {desk.undetectable} is linked to delivery 1: <m1@s.example> to Ann@gone.example.\n")
    linked = desk.capture()["linked_by_hand"]
    assert datetime.now(UTC) - datetime.fromisoformat(linked.pop("when")) < timedelta(minutes=2)
    assert linked == {
        "delivery": 1,
        "message": {
            "message_id": "<m1@s.example>",
            "subject": "Spring",
            "campaign": None,
            "account": "default",
            "recipient": "Ann@gone.example",
        },
        "who": "Eve",
        "why": "ann called",
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{undetectable}", "<m1@s.example>", *SAID], "has several deliveries: name --recipient"),
        (["{undetectable}", "<m2@s.example>", *SAID], "no delivery is known by <m2@s.example>"),
        (["{undetectable}", "99999999999999999999", *SAID], "no delivery is known by 9999"),
        (["{undetectable}", "m1@s.example", "--recipient", "eve@x.example", *SAID], "no delivery to eve@x.example"),
        (["{undetectable}", "nobody@rp.example", *SAID], "no delivery is known by nobody@rp.example"),
        (["{matched}", "1", *SAID], "is matched: only unmatched and undetectable ones are open"),
        (["{person}", "1", *SAID], "is not_a_bounce: only unmatched and undetectable ones are open"),
        (["7", "1", *SAID], "there is no capture 7; `bouncemx captures` shows them"),
        (["{undetectable}", "1", "--who", " ", "--why", "x"], "--who is 1 to 250 printable characters, not ' '"),
        (["{undetectable}", "1", "--who", "Eve", "--why", "a\nb"], "--why is 1 to 1000 printable characters"),
        (["{undetectable}", "1", "--who", "Eve"], "Missing option"),
        (["-1", "1", *SAID], "No such option"),
    ],
)
def test_what_cannot_be_is_named_and_changes_nothing(desk: Desk, words: list[str], told: str) -> None:
    keys = {"undetectable": desk.undetectable, "matched": desk.matched, "person": desk.person}
    said = desk.run("link", *(each.format(**keys) for each in words))
    assert (said.code, said.out) == (2, b"")
    assert told in said.err
    assert desk.capture()["linked_by_hand"] is None


def test_nothing_follows_from_it(desk: Desk) -> None:
    before = [desk.run(name, "--json").rows for name in ("bounces", "suppressions")]
    told = desk.capture()
    desk.run("link", desk.undetectable, 2, *SAID)
    assert [desk.run(name, "--json").rows for name in ("bounces", "suppressions")] == before
    linked = desk.capture()
    assert linked.pop("linked_by_hand")["delivery"] == 2
    told.pop("linked_by_hand")
    assert linked == told
    desk.run("reclassify")
    assert desk.capture()["linked_by_hand"]["delivery"] == 2
    assert desk.run("suppressions", "--json").rows == before[1]


def test_it_is_taken_back_before_another_one(desk: Desk) -> None:
    assert desk.run("unlink", desk.undetectable, *SAID).code == 2
    desk.run("link", desk.undetectable, 1, *SAID)
    again = desk.run("link", desk.undetectable, 2, *SAID)
    assert again.code == 2
    assert f"Eve has linked capture {desk.undetectable} to delivery 1: unlink it first" in again.err
    taken = desk.run("unlink", desk.undetectable, "--who", "Max", "--why", "it was bob")
    assert taken.text == f"Capture {desk.undetectable} is no longer linked by hand.\n"
    assert desk.capture()["linked_by_hand"] is None
    assert desk.run("link", desk.undetectable, 2, *SAID).code == 0
    assert desk.capture()["linked_by_hand"]["delivery"] == 2


def test_it_is_explained_and_shown(desk: Desk) -> None:
    desk.run("link", desk.undetectable, 1, *SAID)
    desk.run("unlink", desk.undetectable, "--who", "Max", "--why", "<i>wrong</i>")
    desk.run("link", desk.undetectable, 2, *SAID)
    told = desk.run("explain", desk.undetectable)
    assert "Linked by hand to delivery 2 (<m1@s.example> to bob@x.example)\n  by Eve, " in told.text
    assert told.text.endswith(": ann called\n")
    assert desk.run("explain", desk.undetectable, "--json").rows[0]["linked_by_hand"]["who"] == "Eve"
    with (
        Database(locate(None, desk.folder)) as database,
        TestClient(site(database, desk.folder / "journal"), base_url="http://localhost") as client,
    ):
        page = client.get(f"/captures/{desk.undetectable}").text
        other = client.get(f"/captures/{desk.matched}").text
    for shown in ("by <bdi>Eve</bdi>: <bdi>ann called</bdi>", "by <bdi>Max</bdi>: <bdi>&lt;i&gt;wrong&lt;/i&gt;</bdi>"):
        assert shown in page.replace("\n", "")
    assert "Where to look" in page
    assert "Where to look" not in other
    assert "What a person said" not in other


def test_blind_spots_are_counted(desk: Desk) -> None:
    desk.run("link", desk.undetectable, 1, *SAID)
    everything, gateway, domain = desk.run("blindspots", "--json").rows
    assert (everything["by"], everything["bounces"], everything["undetectable"]) == ("all", 2, 1)
    assert (gateway["name"], gateway["undetectable"], gateway["linked_by_hand"]) == ("Mimecast", 1, 1)
    assert (domain["name"], domain["bounces"]) == ("gone.example", 2)
    (future,) = desk.run("blindspots", "--json", "--since", "2999-01-01").rows
    assert future["bounces"] == 0
    table = desk.run("blindspots").text
    assert "50.0 %" in table
    assert "subject_and_recipient_only 1" in table
    assert desk.run("blindspots", "--since", "yesterday").code == 2
