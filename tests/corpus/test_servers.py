"""Notices as many servers write them are read right: who, status, reply code and reason (servers.toml)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from handlers.classify import Classifier
from handlers.parse import parse
from handlers.ruleset import load

NOTICES = tomllib.loads((Path(__file__).parent / "servers.toml").read_text("utf-8"))["notice"]
CLASSIFIER = Classifier(load())
ORIGINAL = "From: Shop <shop@sender.example>\nTo: jo@rcpt.example\nMessage-ID: <order.4711@sender.example>\n\nHello\n"


def written(notice: dict[str, Any]) -> bytes:
    """The notice as a mail: with a report where it has fields, else with the original below its text."""
    text, fields = notice["text"], notice.get("fields")
    head = f"From: {notice['from']}\nTo: b+1@rp.sender.example\nSubject: {notice['subject']}\nMIME-Version: 1.0\n"
    head += f"{notice['field']}\n" if "field" in notice else ""
    if fields is None:
        mail = f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}{ORIGINAL}"
    else:
        parts = ("text/plain; charset=utf-8", text), ("message/delivery-status", fields), ("message/rfc822", ORIGINAL)
        body = "".join(f"--b\nContent-Type: {kind}\n\n{part}\n" for kind, part in parts)
        mail = f'{head}Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n{body}--b--\n'
    return mail.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: notice["server"])
def test_a_notice(notice: dict[str, Any]) -> None:
    report = parse(written(notice), "")
    verdicts = CLASSIFIER.classify(report)
    assert report.kind == notice["kind"]
    found = {one.final_recipient: (one.status, one.smtp_code) for one in report.recipients}
    wanted = notice.get("recipient", [])
    assert found == {one["address"]: (one.get("status"), one.get("smtp_code")) for one in wanted}
    reasons = {one["address"]: one["reasons"] for one in wanted}
    for one, verdict in zip(report.recipients, verdicts, strict=True):
        assert verdict.reason in reasons[one.final_recipient], verdict.rule
