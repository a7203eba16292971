"""What is erased is gone from every table; that it must not be mailed stays, as a hash."""

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import LargeBinary, select, text
from sqlmodel import SQLModel

from server import erasing
from storage import captures, erasure, lifting, naming, suppressions, tables, waiting
from storage.checking import check
from storage.database import Database, DatabaseUnusable
from storage.erasure import Order
from storage.lifting import Word
from tests.integration.reclassify_fixture import UNKNOWN, Shop, notice

NOW = datetime(2026, 5, 6, tzinfo=UTC)
ANN, JOANN, BOB = "ann@x.example", "joann@x.example", "bob@x.example"


def order(address: str = ANN, account_id: int | None = None) -> Order:
    return Order(address, account_id, "eve", "her request", NOW)


def everything(shop: Shop) -> str:
    """All that is stored, octets unpacked, in lower case."""
    found = []
    with shop.database.reader() as connection:
        for table in SQLModel.metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                for column in table.c:
                    value = row[column.name]
                    if isinstance(column.type, LargeBinary) and table.name == "capture":
                        value = zlib.decompress(value).decode("latin-1")
                    found.append(f"{table.name}.{column.name}={json.dumps(value, default=str)}")
    return "\n".join(found).lower()


@pytest.fixture
def full(shop: Shop) -> Shop:
    for address in (ANN, JOANN, BOB):
        shop.bounce(address, UNKNOWN)
    shop.take("bounces@rp.example", b"From: Ann@X.example\r\nSubject: hello\r\n\r\nI am away, says ann@x.example.\r\n")
    shop.take(shop.mint(BOB), notice(BOB, UNKNOWN).replace(b"Undelivered", b"cc: ann@x.example"))
    return shop


def test_nothing_of_it_is_left_and_nobody_elses_is_lost(full: Shop) -> None:
    before = full.rows()
    certificate = erasing.erase(full.database, full.settings, order("ANN@x.example"))
    left = everything(full)
    assert [line for line in left.splitlines() if ANN in line.replace(JOANN, "")] == []
    assert JOANN in left
    after = full.rows()
    assert len(after["capture"]) == len(before["capture"])
    lost = {name: len(before[name]) - len(after[name]) for name in ("bounce", "delivery", "message", "suppression")}
    assert lost == {"bounce": 1, "delivery": 1, "message": 1, "suppression": 0}
    removed = certificate["removed"]
    assert (removed["capture"], removed["bounce"], removed["delivery"], removed["message"]) == (3, 1, 1, 1)
    assert (certificate["who"], certificate["why"], certificate["account"]) == ("eve", "her request", None)
    assert certificate["suppressions_kept_as_hash"] == 1
    with full.database.reader() as connection:
        assert erasure.certificates(connection, ANN) == [certificate]
        assert erasure.certificates(connection, BOB) == []


def test_a_check_still_finds_it_and_a_person_can_lift_it(full: Shop) -> None:
    erasing.erase(full.database, full.settings, order())
    with full.database.writer() as connection:
        account = connection.execute(select(tables.account.c.id)).scalar_one()
        found = check(connection, account, ["Ann@x.example", BOB, "eve@x.example"])
        assert {each: of.eligible for each, of in found.items()} == {"Ann@x.example": False, BOB: False}
        assert lifting.lift(connection, [ANN], account, Word("eve", "she is back", NOW), 9)
        assert list(check(connection, account, [ANN])) == []


def test_what_is_left_of_captures_is_listed_and_not_judged_again(full: Shop) -> None:
    erasing.erase(full.database, full.settings, order())
    with full.database.reader() as connection:
        shown = list(captures.find(connection, captures.Filter(), raw=True))
    assert [each["raw"] == "" for each in shown] == [True, False, False, True, True]
    assert full.reclassify().captures == 2


def test_again_is_harmless_and_takes_what_came_since(full: Shop) -> None:
    erasing.erase(full.database, full.settings, order())
    full.bounce(ANN, UNKNOWN)
    again = erasing.erase(full.database, full.settings, order())
    assert (again["removed"]["capture"], again["suppressions_kept_as_hash"]) == (1, 1)
    assert ANN not in everything(full).replace(JOANN, "")
    with full.database.reader() as connection:
        assert len(list(suppressions.listing(connection))) == 3


def test_again_makes_no_suppression_weaker(full: Shop) -> None:
    """What was suppressed for good before is not forgotten for a shorter one that came since."""
    with full.database.writer() as connection:
        account = connection.execute(select(tables.account.c.id)).scalar_one()
        suppressions.add(connection, account, [suppressions.Said("off@x.example")], now=NOW)
    erasing.erase(full.database, full.settings, order("off@x.example"))
    short = suppressions.Said("off@x.example", expires_at=NOW + timedelta(days=1))
    with full.database.writer() as connection:
        suppressions.add(connection, account, [short], now=NOW)
    erasing.erase(full.database, full.settings, order("off@x.example"))
    with full.database.reader() as connection:
        found = check(connection, account, ["off@x.example"], NOW + timedelta(days=2))
    assert not found["off@x.example"].eligible


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_it_does_not_run_into_the_worker(full: Shop) -> None:
    """Whose captures are tied to deliveries that it has just read; in SQLite one writes at a time anyway."""
    impatient = Database(full.database.url.update_query_dict({"options": "-c lock_timeout=200"}))
    with impatient, full.database.writer() as working:
        waiting.hold(working)
        with pytest.raises(DatabaseUnusable, match="lock timeout"):
            erasing.erase(impatient, full.settings, order())
    assert erasing.erase(full.database, full.settings, order())["removed"]["delivery"] == 1


def test_in_one_account_only(full: Shop) -> None:
    with full.database.writer() as connection:
        suppressions.add(connection, None, [suppressions.Said(ANN)], now=NOW)
    erasing.erase(full.database, full.settings, order(account_id=77))
    assert ANN in everything(full).replace(JOANN, "")
    with full.database.reader() as connection:
        account = connection.execute(select(tables.account.c.id)).scalar_one()
    erasing.erase(full.database, full.settings, order(account_id=account))
    with full.database.reader() as connection:
        kept = connection.execute(text("SELECT address FROM suppression WHERE account_id IS NULL")).scalars().all()
    assert kept == [ANN]


@pytest.mark.parametrize(
    ("said", "is_named"),
    [
        (b"<ann@x.example>", True),
        (b"rfc822;ann@x.example\r\n", True),
        (b"ann@x.example.", True),
        (b"joann@x.example", False),
        (b"ann@x.example.org", False),
        (b"ann@x.example-mail.test", False),
        (b"ann+news@x.example", False),
        ("jürgenann@x.example ännann@x.example".encode(), False),
        (b"prvs=1234abcd=ann@x.example", True),  # BATV
        (b"https://shop.example/off?email=Ann%40x.example&list=1", True),
        (b"xbase+ann=x.example@rp.example", True),  # XVERP
        (b"ann=x.example", False),
    ],
)
def test_an_address_and_no_longer_one(said: bytes, is_named: bool) -> None:
    assert naming.is_named_in_mail("Ann@X.example", said) == is_named
    assert naming.is_named("Ann@X.example", [said.decode()]) == is_named


ODD = "Jürgen@bücher.example", '"Ann \\"A\\" B"@x.example', "ann_a%b@x.example"


@pytest.mark.parametrize("address", ODD)
def test_odd_addresses_are_erased_as_well(shop: Shop, address: str) -> None:
    """Neither the letters of another script nor what JSON escapes hides one."""
    shop.bounce(BOB, UNKNOWN)
    shop.bounce(address.upper(), UNKNOWN)
    assert {"bounce", "capture", "delivery", "event", "suppression"} <= tables_naming(shop, address)
    erasing.erase(shop.database, shop.settings, order(address))
    assert tables_naming(shop, address) == set()
    assert len(shop.rows()["suppression"]) == 2


def tables_naming(shop: Shop, address: str) -> set[str]:
    found = set()
    with shop.database.reader() as connection:
        for table in SQLModel.metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                raw = zlib.decompress(row["raw"]) if table.name == "capture" else b""
                if naming.is_named(address, list(row.values())) or naming.is_named_in_mail(address, raw):
                    found.add(table.name)
    return found


HIDDEN = {
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(b"Dear all, ann@x.example is no more. " * 3),
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGone: ann=40x.exa=\r\nmple!\r\n",
    "encoded word": b"Subject: =?utf-8?B?" + base64.b64encode(b"about ann@x.example") + b"?=\r\n\r\nhello\r\n",
}


@pytest.mark.parametrize("raw", HIDDEN.values(), ids=HIDDEN)
def test_no_encoding_hides_an_address(shop: Shop, raw: bytes) -> None:
    shop.take("bounces@rp.example", b"From: eve@y.example\r\n" + raw)
    certificate = erasing.erase(shop.database, shop.settings, order())
    assert certificate["removed"]["capture"] == 1
    with shop.database.reader() as connection:
        assert [each["raw"] for each in captures.find(connection, captures.Filter(), raw=True)] == [""]


def test_what_was_said_of_others_does_not_name_it(shop: Shop) -> None:
    shop.bounce(BOB, "550 5.1.1 User unknown; ann@x.example is the new one")
    erasing.erase(shop.database, shop.settings, order())
    with shop.database.reader() as connection:
        (left,) = connection.execute(select(tables.bounce)).mappings()
    assert (left["address"], left["diagnostic"]) == (BOB, None)
    assert ANN not in everything(shop)


def test_an_erased_capture_waits_for_nothing(shop: Shop) -> None:
    """Else the worker would look for it for ever, once its message is registered."""
    shop.take("bounces@rp.example", notice(ANN, UNKNOWN) + b"\r\n")
    with shop.database.writer() as connection:
        capture = connection.execute(select(tables.capture.c.id)).scalar_one()
        connection.execute(tables.waiting.insert().values(value="<m@x>", capture_id=capture, due=True))
    erasing.erase(shop.database, shop.settings, order())
    with shop.database.reader() as connection:
        assert connection.execute(select(tables.waiting)).all() == []
