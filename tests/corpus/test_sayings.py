"""Short mails of many languages and dialects get their kind, and notices their recipient (sayings.toml)."""

import tomllib
from pathlib import Path

import pytest

from handlers.parse import addresses, parse
from handlers.words import Kind

MAILS = tomllib.loads((Path(__file__).parent / "sayings.toml").read_text("utf-8"))["mail"]


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: f"{mail['kind']}: {mail['subject']}")
def test_saying(mail: dict[str, str]) -> None:
    fields = f"{mail['field']}\r\n" if "field" in mail else ""
    raw = (
        f"From: {mail['from']}\r\nTo: b+1@rp.sender.example\r\nSubject: {mail['subject']}\r\n{fields}"
        f"Date: Tue, 3 Nov 2026 10:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{mail['text']}\r\n"
    )
    report = parse(raw.encode(), mail["reverse_path"])
    assert report.kind is Kind(mail["kind"])
    if report.kind in {Kind.FAILURE, Kind.DELAY, Kind.SUCCESS}:
        named = addresses.first(mail["text"])
        assert [one.final_recipient for one in report.recipients] == ([named] if named else [])
