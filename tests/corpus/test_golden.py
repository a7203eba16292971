"""Each golden mail parses to the Report beside it. `pytest tests/corpus --update-golden` writes them; read the diff."""

import dataclasses
import json
from pathlib import Path

import pytest

from handlers.parse import parse

HERE = Path(__file__).parent
MAILS = sorted(HERE.glob("*/*.eml"))


def as_json(path: Path) -> str:
    report = dataclasses.asdict(parse(path.read_bytes()))
    return json.dumps(report, ensure_ascii=False, indent=1, default=dict) + "\n"


@pytest.mark.parametrize("path", MAILS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    golden = path.with_suffix(".json")
    if request.config.getoption("--update-golden", default=False):
        golden.write_text(as_json(path), encoding="utf-8")
    assert json.loads(as_json(path)) == json.loads(golden.read_text("utf-8"))


def test_no_golden_without_its_mail() -> None:
    assert {p.with_suffix("") for p in HERE.glob("*/*.json")} == {p.with_suffix("") for p in MAILS}


def test_golden_mails_use_reserved_names_only() -> None:
    """No host and no address of anybody real (RFC 2606); what is encoded is checked through its Report."""
    for path in MAILS:
        report = json.loads(path.with_suffix(".json").read_text("utf-8"))
        for one in report["recipients"]:
            domain = one["final_recipient"].rpartition("@")[2]
            assert domain.endswith((".example", ".test", "example.com")), path
