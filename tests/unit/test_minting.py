"""Return paths for messages: signed, registered, and told as they are registered."""

from datetime import UTC, datetime

import pytest

from handlers import verp
from server.minting import Request, mint
from server.settings import Settings, UserError
from storage.database import Database, locate
from storage.keyring import open_or_create
from storage.ledger import Ledger

FIELDS = ["return_path", "recipient", "message_id", "envelope_id", "account"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("minting") / "not there yet"
    return Settings(data_dir=folder, return_path_domain="rp.example")


def registered(settings: Settings, message_id: str, *stated: str) -> list[tuple[str, str | None, str | None]]:
    with Database(locate(None, settings.data_dir)) as db, db.reader() as connection:
        found = Ledger(connection).by_message_id(message_id, stated)
    return [(each.recipient, each.token, each.message.envelope_id) for each in found]


def test_each_recipient_gets_a_return_path_of_its_own(settings: Settings) -> None:
    made = mint(settings, Request(("ann@x.example", "Bob@x.example"), "m1@sender.example", subject="News"))
    assert [list(line) for line in made] == [FIELDS, FIELDS]
    assert [line["recipient"] for line in made] == ["ann@x.example", "Bob@x.example"]
    assert {(line["message_id"], line["account"]) for line in made} == {("<m1@sender.example>", "default")}
    assert len({line["return_path"] for line in made}) == 2
    assert len({line["envelope_id"] for line in made}) == 1
    ring, today = open_or_create(settings.data_dir), datetime.now(UTC).date()
    for line in made:
        local_part, _, domain = line["return_path"].partition("@")
        found = verp.verify(local_part, domain, ring, today)
        assert (found.state, domain) == ("valid", "rp.example")
        assert found.token is not None
        assert verp.is_for(found.token, line["recipient"], ring)
        assert registered(settings, line["message_id"], line["recipient"]) == [
            (line["recipient"], local_part, line["envelope_id"])
        ]


@pytest.mark.parametrize("given", ["<m2@sender.example>", "m2@sender.example", "  <m2@sender.example> "])
def test_a_message_id_with_and_without_brackets(settings: Settings, given: str) -> None:
    assert mint(settings, Request(("ann@x.example",), given))[0]["message_id"] == "<m2@sender.example>"


def test_a_message_without_an_id_gets_one(settings: Settings) -> None:
    made = mint(settings, Request(("ann@x.example",), count=3))
    assert len({line["message_id"] for line in made}) == len({line["envelope_id"] for line in made}) == 3
    for line in made:
        assert line["message_id"] == f"<{line['envelope_id']}@rp.example>"
        assert registered(settings, line["message_id"], "ann@x.example")[0][2] == line["envelope_id"]


def test_the_envelope_id_is_a_base_for_xverp(settings: Settings) -> None:
    base = mint(settings, Request(("ann@x.example",)))[0]["envelope_id"]
    found = verp.verify(
        f"{base}+ann=x.example", "rp.example", open_or_create(settings.data_dir), datetime.now(UTC).date()
    )
    assert (found.state, found.token and found.token.recipient) == ("valid", "ann@x.example")


def test_a_message_that_is_minted_for_again_keeps_its_envelope_id(settings: Settings) -> None:
    first = mint(settings, Request(("ann@x.example",), "m3@sender.example", count=2))
    again = mint(settings, Request(("ann@x.example",), "m3@sender.example"))
    assert len({line["envelope_id"] for line in [*first, *again]}) == 1
    assert len({line["return_path"] for line in [*first, *again]}) == 3
    assert {each[2] for each in registered(settings, "<m3@sender.example>", "ann@x.example")} == {
        first[0]["envelope_id"]
    }


@pytest.mark.parametrize(
    "recipient",
    [
        "", "ann", "@x.example", "ann@", "ann@x.example ", "<ann@x.example>", "ann@x.example> SIZE=1", "postmaster",
        "@relay.example:ann@x.example", "ann@x.example\nbob@x.example", "an n@x.example", "a" * 400 + "@x.example",
        "ann@x.example> A=B",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_its_name(settings: Settings, recipient: str) -> None:
    with pytest.raises(UserError) as raised:
        mint(settings, Request(("ann@x.example", recipient), "never@sender.example"))
    assert str(raised.value) == f"recipient {recipient!r} is no address: give e.g. ann@example.com"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (Request(("a@x.example",), account=" "), "an account's name is 1 to 200 printable characters, not ' '"),
        (Request(("a@x.example",), kind="spam"), "the kind of a message is marketing or one_to_one, not 'spam'"),
        (Request(("a@x.example",), "a\nb@x"), "the Message-ID must be 1 to 998 octets of printable text"),
    ],
)
def test_what_cannot_be_is_refused_and_registers_nothing(settings: Settings, request_: Request, told: str) -> None:
    with pytest.raises(UserError, match=told):
        mint(settings, request_)
    assert registered(settings, "<never@sender.example>") == []
