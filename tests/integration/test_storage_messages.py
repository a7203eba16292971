"""What was sent: registered once, found by every id that a bounce may carry."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from handlers.message import Account, Delivery, Message
from handlers.ports import Ledger as LedgerPort
from storage import accounts, ledger, messages
from storage.database import Database
from storage.ledger import Ledger
from storage.tables import message
from tests.integration.database_fixture import migrated

RECIPIENTS: list[tuple[str, str | None]] = [
    ("Ann@mx.example", "b-1"),
    ("bob@mx.example", None),
    ("ann@mx.example", "b-2"),
]


def register(database: Database, *recipients: tuple[str, str | None], **fields: object) -> list[Delivery]:
    with database.writer() as connection:
        return messages.register(
            connection, "default", recipients or RECIPIENTS, **{"message_id": "<m1@sender.example>", **fields}
        )


def listed(database: Database) -> list[dict[str, object]]:
    with database.reader() as connection:
        return list(messages.listing(connection))


def test_a_registered_delivery_is_found_by_every_id(database: Database) -> None:
    sent = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    made = register(database, envelope_id="env-1", subject="Grüße", campaign="spring", kind="one_to_one", sent_at=sent)
    assert [(each.recipient, each.token) for each in made] == RECIPIENTS
    with database.reader() as connection:
        port: LedgerPort = Ledger(connection)
        found = port.by_token("b-1")
        assert found == made[0]
        everybody = ["ANN@MX.example", "Bob@mx.example"]
        assert port.by_envelope_id("env-1", everybody) == tuple(made)
        assert port.by_message_id("<m1@sender.example>", everybody) == tuple(made)
    assert found is not None
    assert found.message == Message(
        Account(found.message.account.id, "default"),
        "<m1@sender.example>",
        "env-1",
        "Grüße",
        "spring",
        "one_to_one",
        datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC),
    )


def test_expected_tokens_cost_one_query(database: Database) -> None:
    made = register(database)
    with database.reader() as connection:
        asked: list[object] = []
        event.listen(connection, "before_execute", lambda *said: asked.append(said))
        reads = Ledger(connection, ["b-1", "b-2", "b-9", "\ud800"])
        assert [reads.by_token(token) for token in ("b-1", "b-2", "b-9", "\ud800")] == [made[0], made[2], None, None]
        assert len(asked) == 1
        assert reads.by_token("b-8") is None
        assert len(asked) == 2


def test_what_is_not_ours_is_not_found(database: Database) -> None:
    register(database)
    with database.reader() as connection:
        reads = Ledger(connection)
        assert reads.by_token("b-3") is None
        assert reads.by_token("b-1\0") is None
        assert reads.by_token("\ud800" * 5000) is None
        assert reads.by_envelope_id("env-1", ["ann@mx.example"]) == ()
        assert reads.by_message_id("<M1@sender.example>", ["ann@mx.example"]) == ()
        assert [reads.account(key) for key in (0, -1, 2**20, 2**31, 2**63, 2**70)] == [None] * 6


def test_one_message_id_of_two_accounts_is_two_messages(database: Database) -> None:
    register(database, ("a@x.example", "t-1"))
    with database.writer() as connection:
        messages.register(connection, "other", [("a@x.example", "t-2")], message_id="<m1@sender.example>")
    with database.reader() as connection:
        found = Ledger(connection).by_message_id("<m1@sender.example>", ["A@X.example"])
        known = list(accounts.listing(connection))
        assert Ledger(connection).account(known[1]["id"]) == found[1].message.account
    assert [each.message.account.name for each in found] == ["default", "other"]
    assert [each["name"] for each in known] == ["default", "other"]


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        (["BOB@mx.example"], ["bob@mx.example"]),
        (["bob@mx.example", "eve@mx.example"], ["bob@mx.example"]),
        (["ann@mx.example"], ["Ann@mx.example", "ann@mx.example"]),
        (["eve@mx.example", "\ud800\0"], 2),
        ([], 2),
    ],
)
def test_of_a_message_only_the_stated_recipients_are_read(
    database: Database, stated: list[str], found: list[str] | int
) -> None:
    register(database, envelope_id="env-1")
    with database.reader() as connection:
        reads = Ledger(connection)
        read = [reads.by_message_id("<m1@sender.example>", stated), reads.by_envelope_id("env-1", stated)]
    for each in read:
        assert len(each) == found if isinstance(found, int) else [one.recipient for one in each] == found


def test_the_only_recipient_of_a_message_is_read_without_being_stated(database: Database) -> None:
    made = register(database, ("ann@mx.example", "b-1"))
    with database.reader() as connection:
        assert Ledger(connection).by_message_id("<m1@sender.example>", ["other@mx.example"]) == tuple(made)


def test_what_a_capture_names_costs_a_bounded_number_of_rows(database: Database) -> None:
    """Of one recipient's many tokens, of an id that many messages have, of a report that states thousands."""
    with database.writer() as connection:
        many: list[tuple[str, str | None]] = [("ann@mx.example", f"t-{i}") for i in range(1100)]
        messages.register(connection, "default", many, message_id="<m0@sender.example>", envelope_id="campaign")
        for i in range(1, 150):
            messages.register(
                connection,
                "default",
                [(f"r{i}@mx.example", None)],
                message_id=f"<m{i}@s.example>",
                envelope_id="campaign",
            )
    everybody = [f"r{i}@mx.example" for i in range(1, 40_000)]
    with database.reader() as connection:
        reads = Ledger(connection)
        assert len(reads.by_message_id("<m0@sender.example>", ["ann@mx.example"])) == 1000
        newest = reads.by_envelope_id("campaign", everybody)
        assert [each.recipient for each in newest] == [f"r{i}@mx.example" for i in range(50, 150)]
        assert reads.by_message_id("<m149@s.example>", everybody)[0].recipient == "r149@mx.example"


def test_a_stated_recipient_is_found_by_an_index(tmp_path: Path) -> None:
    """Not by looking at each recipient of a message: a newsletter has thousands."""
    url = migrated(tmp_path)
    with Database(url) as database, database.reader() as connection:
        stated = ledger._BY_MESSAGE_ID[0].params(value="<m>", keys=["a@x.example"])
        sql = stated.compile(connection.engine, compile_kwargs={"literal_binds": True})
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
    assert any("ix_delivery_message_id_recipient_key (message_id=? AND recipient_key=?)" in str(row) for row in plan)


def test_registering_again_changes_nothing(database: Database) -> None:
    first = register(database)
    assert register(database) == first
    assert register(database, *reversed(RECIPIENTS)) == first[::-1]
    assert [each["deliveries"] for each in listed(database)] == [3]


def test_registering_again_fills_gaps_and_replaces_nothing(database: Database) -> None:
    register(database, subject="first", kind="one_to_one")
    register(database, subject="second", campaign="late", kind="marketing")
    shown = listed(database)[0]
    assert (shown["subject"], shown["campaign"], shown["kind"]) == ("first", "late", "one_to_one")


def test_one_recipient_can_have_many_tokens(database: Database) -> None:
    made = register(database, *[("a@x.example", f"t-{i}") for i in range(1200)], ("a@x.example", None))
    assert len({each.id for each in made}) == 1201
    assert listed(database)[0]["deliveries"] == 1201


def test_a_token_is_in_lower_case(database: Database) -> None:
    assert register(database, ("a@x.example", "B-UPPER"))[0].token == "b-upper"
    assert register(database, ("a@x.example", "b-upper"))[0].token == "b-upper"


@pytest.mark.parametrize(
    "second",
    [{"message_id": "<m2@sender.example>"}, {}],
    ids=["of another message", "of another recipient"],
)
def test_a_token_belongs_to_one_delivery(database: Database, second: dict[str, object]) -> None:
    register(database, ("a@x.example", "t-1"))
    other = "a@x.example" if second else "b@x.example"
    with pytest.raises(ValueError, match=f"the token t-1 of {other} belongs to another delivery"):
        register(database, ("c@x.example", "t-9"), (other, "t-1"), **second)
    assert [each["deliveries"] for each in listed(database)] == [1]


@pytest.mark.parametrize(
    ("recipient", "fields", "words"),
    [
        (
            ("a@x.example", "t"),
            {"message_id": " "},
            "the Message-ID must be 1 to 998 octets of printable text, not ' '",
        ),
        (("a@x.example", "t"), {"message_id": "<" + "ü" * 500 + ">"}, "the Message-ID must be 1 to 998 octets"),
        (("a@x.example", "t"), {"message_id": "<a\r\nb>"}, "the Message-ID must be"),
        (("a@x.example", "t"), {"envelope_id": ""}, "the envelope id must be"),
        (("a" * 400, "t"), {}, "the recipient must be 1 to 320 octets"),
        (("a@x\ud800.example", "t"), {}, "the recipient must be"),
        (("a@x.example", "t\0"), {}, "the token must be"),
        (("a@x.example", "t"), {"kind": "spam"}, "the kind of a message is marketing or one_to_one, not 'spam'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    database: Database, recipient: tuple[str, str], fields: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        register(database, recipient, **fields)
    assert listed(database) == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "\ud800"])
def test_a_name_that_cannot_be_one(database: Database, name: str) -> None:
    with pytest.raises(ValueError, match="an account's name is 1 to 200 printable characters"), database.writer() as c:
        accounts.ensure(c, name)


def test_messages_are_listed_newest_last_over_many_pages(database: Database) -> None:
    with database.writer() as connection:
        for i in range(1203):
            messages.register(connection, "default", [], message_id=f"<m{i}@sender.example>")
    rows = listed(database)
    assert [each["message_id"] for each in rows] == [f"<m{i}@sender.example>" for i in range(1203)]
    with database.reader() as connection:
        assert list(messages.listing(connection, since=rows[600]["id"])) == rows[601:]


WORDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.lists(st.tuples(WORDS, st.none() | WORDS.map(str.lower)), max_size=8))
def test_any_registration_is_found_as_it_was_made(database: Database, wanted: list[tuple[str, str | None]]) -> None:
    """Whatever was registered before; a token names its recipient here, so that no two have the same one."""
    recipients = [(f"{token}@x.example" if token else name, token) for name, token in wanted]
    made = register(database, *recipients, message_id="<any@sender.example>") if recipients else []
    assert [(each.recipient, each.token) for each in made] == recipients
    with database.reader() as connection:
        reads = Ledger(connection)
        assert all(reads.by_token(each.token) == each for each in made if each.token)
        stated = [each.recipient.upper() for each in made if each.recipient.isascii()]
        found = reads.by_message_id("<any@sender.example>", stated)
        assert not stated or {each for each in made if each.recipient.isascii()} <= set(found)


def test_those_of_an_account_are_listed_without_sorting_all(database: Database) -> None:
    listed = messages.SHOWN.where(message.c.account_id == 1).order_by(message.c.id.desc()).limit(101)
    with database.reader() as connection:
        if connection.dialect.name == "postgresql":  # which would sort the few that are here
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        text = str(listed.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {text}"))
    assert "ix_message_account_id_id" in plan
    assert "TEMP B-TREE" not in plan
