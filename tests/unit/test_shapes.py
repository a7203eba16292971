"""The shapes that scripts read: the fields of each command's JSON, held against the published list."""

from datetime import UTC, datetime
from typing import Any

import pytest

from storage import shapes, tables
from storage.columns import address_key, clean, dump

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SENT = {
    "delivery_id": 1,
    "account": "default",
    "original_message_id": "<m1@s.example>",
    "original_envelope_id": "env-1",
    "original_subject": "Hello",
    "original_campaign": "spring",
    "original_kind": "marketing",
    "original_recipient": "Ann@x.example",
    "original_token": "b-1",
    "original_state": None,
    "original_resolution": None,
}


def row(table: Any, **given: Any) -> Any:
    """A row of this table with the name of each column as its value."""
    return {column.name: column.name for column in table.c} | given


CAPTURE = row(tables.capture, **SENT, received_at=NOW)


def test_a_capture() -> None:
    assert shapes.capture(CAPTURE) == {
        "id": "id",
        "received_at": "2026-02-03T04:05:06+00:00",
        "envelope": {name: name for name in ("reverse_path", "forward_paths", "helo", "client", "protocol", "tls")},
        **{
            name: name
            for name in (
                "subject",
                "message_id",
                "kind",
                "detectability",
                "notice_form",
                "undetectable_reason",
                "gateway",
                "language",
                "receiving_domain",
                "hints",
                "links",
                "reporting_mta",
                "report",
                "recipients",
                "authentication",
                "trust",
                "trust_reasons",
                "faults",
                "held",
                "size",
            )
        },
        "account": "default",
        "linked_by_hand": None,
        "message": {
            "message_id": "<m1@s.example>",
            "envelope_id": "env-1",
            "subject": "Hello",
            "campaign": "spring",
            "kind": "marketing",
            "account": "default",
            "recipient": "Ann@x.example",
            "token": "b-1",
            "delivery": 1,
            "state": "sent",
            "resolution": None,
        },
    }


def test_a_capture_of_nothing_of_ours() -> None:
    shown = shapes.capture({**CAPTURE, "delivery_id": None, "account": None})
    assert (shown["message"], shown["account"]) == (None, None)


def test_raw_keeps_every_octet() -> None:
    octets = bytes(range(256))
    shown = shapes.with_raw({"id": 1}, octets)
    assert shown["raw"].encode("latin-1") == octets
    assert shown["id"] == 1


def test_a_bounce() -> None:
    shown = shapes.bounce(row(tables.bounce, **SENT, created_at=NOW))
    own = "id address token type category reason rule status smtp_code diagnostic action proven span guess confidence"
    assert {name: shown[name] for name in own.split()} == {name: name for name in own.split()}
    assert set(shown) == {*own.split(), "capture", "account", "message", "created_at"}
    assert (shown["capture"], shown["message"]["recipient"]) == ("capture_id", "Ann@x.example")


def test_a_suppression() -> None:
    told = row(tables.suppression, account=None, since=NOW, capture_id=None, expires_at=None, state="active")
    shown = shapes.suppression(told, NOW)
    assert list(shown)[:7] == ["address", "account", "type", "category", "reason", "since", "capture"]
    assert list(shown)[7:] == ["state", "source", "expires_at", "incident", "held_until"]
    assert (shown["account"], shown["since"], shown["capture"]) == (None, "2026-02-03T04:05:06+00:00", None)


def test_an_account_and_a_message() -> None:
    assert shapes.account(row(tables.account, created_at=NOW)) == {
        "id": "id",
        "name": "name",
        "owner": "owner",
        "created_at": "2026-02-03T04:05:06+00:00",
    }
    shown = shapes.message(row(tables.message, account="default", deliveries=3, sent_at=None, created_at=NOW))
    assert (shown["account"], shown["deliveries"], shown["sent_at"]) == ("default", 3, None)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("", ""),
        ("plain", "plain"),
        ("ü\U0001f600", "ü\U0001f600"),
        ("a\0b", "a\ufffdb"),
        ("\ud83d\ude00", "\ufffd\ufffd"),
    ],
)
def test_text_is_cleaned_of_what_no_database_holds(text: str, held: str) -> None:
    assert clean(text) == held


@pytest.mark.parametrize(
    ("value", "json"),
    [
        ({"a": ["\0", "\ud800", None, 1, True]}, '{"a":["\ufffd","\ufffd",null,1,true]}'),
        ({"\0": ("\\u0000", {"\0": "\\\0"})}, '{"\ufffd":["\\\\u0000",{"\ufffd":"\\\\\ufffd"}]}'),
        ("\\u0000", '"\\\\u0000"'),
        ([], "[]"),
    ],
)
def test_documents_are_cleaned_at_every_depth(value: Any, json: str) -> None:
    assert dump(value) == json


def test_an_address_has_one_key() -> None:
    assert address_key("Ann@X.Example") == "ann@x.example"
    assert address_key("A\0\ud800") == "a\ufffd\ufffd"
    assert address_key("É" * 600) == "é" * 500
