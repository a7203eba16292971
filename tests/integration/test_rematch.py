"""A message that is registered after its bounce came: the same comes of it as if it had been there first."""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, delete, select
from sqlmodel import SQLModel

from handlers import verp
from handlers.envelope import Mail
from handlers.keys import account_key
from server import minting
from server.rematch import Rematcher
from server.worker import compose
from storage import accounts, messages, tables, waiting
from storage.database import Database
from storage.keyring import KeyFile
from tests.integration.reclassify_fixture import NOW, UNKNOWN, Shop, notice

ANN, BOB, ALIAS = "ann@x.example", "bob@x.example", "alias@y.example"
KEPT = {tables.account, tables.position}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Sent:
    """A message that was sent with a token made offline for each of its recipients."""

    recipients: tuple[str, ...]
    tokens: tuple[str | None, ...]
    number: int
    base: str
    account: str = "default"

    @property
    def message_id(self) -> str:
        return f"<m{self.number}@s.example>"

    def register(self, shop: Shop) -> None:
        pairs = list(zip(self.recipients, self.tokens, strict=True))
        with shop.database.writer() as connection:
            messages.register(
                connection, self.account, pairs, message_id=self.message_id, envelope_id=self.base, subject="News"
            )


def sent(shop: Shop, *recipients: str, tokenless: bool = False, account: str = "default") -> Sent:
    with shop.database.writer() as connection:
        owner = accounts.ensure(connection, account).id
    key, today = account_key(KeyFile(shop.settings.data_dir).ring(), owner), NOW.date()
    number = next(_numbers)
    tokens = [None if tokenless else verp.mint(key, "rp.example", each, today) for each in recipients]
    return Sent(recipients, tuple(tokens), number, verp.mint_base(key, "rp.example", today), account)


def by_token(of: Sent, stated: str) -> tuple[str, bytes]:
    return f"{of.tokens[0] or 'bounces'}@rp.example", notice(stated, UNKNOWN)


def by_xverp(of: Sent, stated: str) -> tuple[str, bytes]:
    return f"{of.base}+{stated.replace('@', '=')}@rp.example", notice(stated, UNKNOWN)


def by_envelope_id(of: Sent, stated: str) -> tuple[str, bytes]:
    field = f"Reporting-MTA: dns; mx.example\r\nOriginal-Envelope-Id: {of.base}".encode()
    return "bounces@rp.example", notice(stated, UNKNOWN).replace(b"Reporting-MTA: dns; mx.example", field)


def by_message_id(of: Sent, stated: str) -> tuple[str, bytes]:
    part = f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {of.message_id}\r\nSubject: News\r\n\r\n--b--"
    return "bounces@rp.example", notice(stated, UNKNOWN).replace(b"--b--", part.encode())


def by_thread(of: Sent, stated: str) -> tuple[str, bytes]:
    return "bounces@rp.example", f"In-Reply-To: {of.message_id}\r\n".encode() + notice(stated, UNKNOWN)


def by_body_token(of: Sent, stated: str) -> tuple[str, bytes]:
    return "bounces@rp.example", with_text(notice(stated, UNKNOWN), f"Sender: {of.tokens[0] or 'nobody'}@rp.example")


def with_text(raw: bytes, text: str) -> bytes:
    return raw.replace(b"--b\r\n", f"--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n\r\n--b\r\n".encode(), 1)


def auto_reply(of: Sent, stated: str) -> tuple[str, bytes]:
    fields = f"From: {stated}\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: {of.message_id}"
    return "bounces@rp.example", f"{fields}\r\n\r\nI am away.\r\n".encode()


WAYS = (by_token, by_xverp, by_envelope_id, by_message_id, by_thread, by_body_token, auto_reply)
Way = Callable[[Sent, str], tuple[str, bytes]]


def rematch(shop: Shop) -> int:
    return sum(iter(Rematcher(shop.database, shop.ports).step, 0))


def clear(shop: Shop) -> None:
    shop.position = 0
    with shop.database.writer() as connection:
        for table in reversed(SQLModel.metadata.sorted_tables):
            if table not in KEPT:
                connection.execute(delete(table))


def state(shop: Shop) -> dict[str, list[dict[str, Any]]]:
    """What is stored, without the numbers that rows are given, and without when they were."""
    with shop.database.reader() as connection:
        delivery = {row.id: (row.recipient, row.token) for row in connection.execute(select(tables.delivery))}
        found = {}
        for table in (tables.capture, tables.bounce, tables.suppression, tables.delivery_state, tables.waiting):
            found[table.name] = [dict(row) for row in connection.execute(select(table)).mappings()]
    for row in itertools.chain(*found.values()):
        for name in {"id", "created_at"} & set(row):
            row[name] = None
        if "delivery_id" in row:
            row["delivery_id"] = delivery.get(row["delivery_id"])
        for link in row.get("links", []):
            link["delivery"] = delivery.get(link["delivery"])
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def ends_alike(shop: Shop, all_sent: Sequence[Sent], bounces: Sequence[tuple[Way, Sent, str]]) -> dict[str, Any]:
    """Registers and takes in both orders, holds that both end alike, and returns how."""
    mails = [way(of, stated) for way, of, stated in bounces]
    for each in all_sent:
        each.register(shop)
    for to, raw in mails:
        shop.take(to, raw)
    before = state(shop)
    clear(shop)
    for to, raw in mails:
        shop.take(to, raw)
    for each in all_sent:
        each.register(shop)
    rematch(shop)
    assert state(shop) == before
    return before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stated", [ANN, BOB, ALIAS])
def test_it_ends_as_if_it_had_been_there_first(shop: Shop, way: Way, stated: str) -> None:
    message = sent(shop, ANN, BOB)
    ended = ends_alike(shop, [message], [(way, message, stated)])
    (capture,) = ended["capture"]
    if way is auto_reply:
        assert capture["detectability"] == "not_a_bounce"
    elif stated == ANN or way in (by_token, by_body_token):
        assert (capture["detectability"], capture["delivery_id"]) == ("matched", (ANN, message.tokens[0]))
        assert not ended["waiting"]


def test_without_tokens(shop: Shop) -> None:
    message = sent(shop, ANN, tokenless=True)
    ended = ends_alike(shop, [message], [(by_message_id, message, ANN)])
    assert [(each["address"], each["proven"]) for each in ended["bounce"]] == [(ANN, False)]


def test_a_message_that_two_accounts_sent_is_nobodys(shop: Shop) -> None:
    one, other = sent(shop, ANN), sent(shop, ANN, account="other")
    other = replace(other, number=one.number)
    ended = ends_alike(shop, [one, other], [(by_message_id, one, ANN)])
    assert (ended["capture"][0]["delivery_id"], ended["suppression"]) == (None, [])


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_comes_first(shop: Shop, data: st.DataObject) -> None:
    """Messages that share nothing, and bounces of them in any form, stating anybody."""
    clear(shop)
    groups = st.lists(st.sampled_from([ANN, BOB, ALIAS]), min_size=1, max_size=3, unique=True)
    all_sent = [
        sent(shop, *data.draw(groups), tokenless=data.draw(st.booleans())) for _ in range(data.draw(st.integers(1, 3)))
    ]
    several = st.tuples(st.sampled_from(WAYS), st.sampled_from(all_sent), st.sampled_from([ANN, BOB, ALIAS]))
    ends_alike(shop, all_sent, data.draw(st.lists(several, min_size=1, max_size=4)))


def test_nobody_else_is_looked_at_again(shop: Shop) -> None:
    ours, theirs = sent(shop, ANN), sent(shop, BOB)
    for each in (ours, theirs):
        shop.take(*by_message_id(each, each.recipients[0]))
    ours.register(shop)
    assert rematch(shop) == 1
    assert rematch(shop) == 0
    assert [each["detectability"] for each in state(shop)["capture"]].count("matched") == 1
    theirs.register(shop)
    assert rematch(shop) == 1


def test_what_a_token_ties_waits_for_nothing(shop: Shop) -> None:
    message = sent(shop, ANN)
    message.register(shop)
    to, _ = by_token(message, ANN)
    _, raw = by_message_id(sent(shop, ANN), ANN)  # senders often give messages an id that they do not register
    shop.take(to, raw)
    assert state(shop)["waiting"] == []


def test_a_refused_token_waits_for_nothing(shop: Shop) -> None:
    message = sent(shop, ANN)
    token = str(message.tokens[0])
    forged = token[:-1] + ("b" if token.endswith("a") else "a")
    shop.take(*by_token(replace(message, tokens=(forged,)), ANN))
    assert state(shop)["waiting"] == []


def test_a_capture_waits_for_a_few_things_only(shop: Shop) -> None:
    named = " ".join(f"<m{number}@other.example>" for number in range(500))
    text = "\r\n".join(f"{sent(shop, ANN).tokens[0]}@rp.example" for _ in range(40))
    shop.take("bounces@rp.example", f"References: {named}\r\n".encode() + with_text(notice(ANN, UNKNOWN), text))
    assert len(state(shop)["waiting"]) == 16


def test_one_that_fails_stops_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    message = sent(shop, ANN)
    first, second = (shop.take(*way(message, ANN)) for way in (by_message_id, by_envelope_id))
    message.register(shop)
    rematcher = Rematcher(shop.database, shop.ports)
    good = rematcher._reclassifier.match_again

    def broken(mails: Sequence[Mail]) -> object:
        if any(mail.position == first for mail in mails):
            raise KeyError("ours")
        return good(mails)

    monkeypatch.setattr(rematcher._reclassifier, "match_again", broken)
    assert (rematcher.step(), rematcher.step()) == (2, 0)
    assert shop.captured("id", "detectability") == [(first, "unmatched"), (second, "matched")]


def test_a_suppression_keeps_the_capture_that_made_it(shop: Shop) -> None:
    message = sent(shop, ANN)
    shop.take(*by_message_id(message, ANN))
    other = sent(shop, ANN)
    other.register(shop)
    shop.take(*by_token(other, ANN))
    owner = shop.suppressed()[ANN]
    message.register(shop)
    assert rematch(shop) == 1
    assert shop.suppressed() == {ANN: owner}


def test_the_worker_does_it(shop: Shop) -> None:
    message = sent(shop, ANN)
    shop.take(*by_message_id(message, ANN))
    message.register(shop)
    with compose(shop.settings) as worker:
        assert worker.step() == 1
        assert worker.step() == 0
    assert shop.captured("detectability") == [("matched",)]
    assert [address for address, *_ in shop.bounced()] == [ANN]


def test_reclassify_renews_what_a_capture_waits_for(shop: Shop) -> None:
    message = sent(shop, ANN)
    shop.take(*by_message_id(message, ANN))
    message.register(shop)
    shop.reclassify()
    assert state(shop)["waiting"] == []
    assert rematch(shop) == 0


def test_minting_again_for_a_message_is_registering(shop: Shop) -> None:
    """A bounce names the Message-ID of a message that is minted for only later."""
    _, raw = by_message_id(sent(shop, ANN), ANN)
    message_id = raw.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()
    shop.take("bounces@rp.example", raw)
    minting.mint(shop.settings, minting.Request((ANN,), message_id.strip("<>")))
    assert rematch(shop) == 1
    assert shop.captured("detectability") == [("matched",)]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_registering_waits_for_what_is_being_stored(url: URL, shop: Shop) -> None:
    """Or a capture would be stored as unmatched, and nobody would look again."""
    message = sent(shop, ANN)
    to, raw = by_message_id(message, ANN)
    with Database(url) as other, other.writer() as connection:
        waiting.hold(connection)
        registering = threading.Thread(target=message.register, args=(shop,))
        registering.start()
        registering.join(0.3)
        assert registering.is_alive()
    registering.join()
    shop.take(to, raw)
    assert shop.captured("detectability") == [("matched",)]
