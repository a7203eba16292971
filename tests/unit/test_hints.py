"""Where to look when nothing ties a capture: what is stated, what is quoted, which domain it is about."""

import tomllib
from importlib.resources import files
from typing import Any

import pytest

from handlers import quoted
from handlers.bounce import Link
from handlers.hints import hints, receiving_domain
from handlers.report import Original
from handlers.words import Detectability, Kind, LinkMethod
from tests.unit.sent import failed, message, report, sent

WORDS = tomllib.loads((files("handlers") / "quoted.toml").read_text("utf-8"))
OPEN = [Detectability.UNMATCHED, Detectability.UNDETECTABLE]


@pytest.mark.parametrize("detectability", OPEN)
def test_hints_of_a_notice(detectability: Detectability) -> None:
    told = report(failed("alias@y.example", "ann@x.example"), failed("ann@x.example"), text="Subject: Spring")
    foreign = Link(LinkMethod.ENVELOPE_ID, "original_envelope_id", "foreign", "gw-1")
    assert hints(told, [foreign], detectability) == {
        "proof": False,
        "stated_recipients": ["ann@x.example", "alias@y.example"],
        "quoted_subject": "Spring",
        "gateway_reference": "gw-1",
    }


def test_a_notice_that_says_nothing_has_empty_hints() -> None:
    found = hints(report(), [Link(LinkMethod.THREAD, "references", "foreign", "<x@y>")], OPEN[0])
    assert found == {"proof": False, "stated_recipients": [], "quoted_subject": None, "gateway_reference": None}


@pytest.mark.parametrize("detectability", sorted(set(Detectability) - set(OPEN)))
def test_what_is_tied_or_no_bounce_has_none(detectability: Detectability) -> None:
    assert hints(report(failed("ann@x.example")), [], detectability) is None


def test_a_report_of_thousands_is_kept_short() -> None:
    told = report(*(failed(f"u{number}@x.example") for number in range(3000)), text="Subject: " + "x" * 5000)
    found = hints(told, [], OPEN[1])
    assert found is not None
    assert (len(found["stated_recipients"]), len(found["quoted_subject"])) == (20, 300)


@pytest.mark.parametrize(
    ("fields", "domain"),
    [
        ({}, None),
        ({"from_": "Postmaster <postmaster@MX.example>"}, "mx.example"),
        ({"from_": 'postmaster@mx.example ("Gateway")'}, "mx.example"),
        ({"from_": "Mail Delivery System", "reporting_mta": "Relay.Example."}, "relay.example"),
        ({"reporting_mta": "relay.example", "from_": "a@b.example", "kind": Kind.DELAY}, "b.example"),
        ({"from_": "eve@x.example", "kind": Kind.AUTO_REPLY}, None),
    ],
)
def test_the_domain_of_a_notice_that_states_nobody(fields: dict[str, Any], domain: str | None) -> None:
    assert receiving_domain(report(**fields), None) == domain


def test_the_domain_is_that_which_was_mailed() -> None:
    told = report(failed("alias@forwarded.example", "ann@stated.example"), from_="a@reporter.example")
    assert receiving_domain(told, None) == "stated.example"
    assert receiving_domain(told, sent(1, "Ann@Ours.example", message())) == "ours.example"
    assert receiving_domain(report(failed("no-address"), from_="a@reporter.example"), None) == "reporter.example"


@pytest.mark.parametrize("language", WORDS)
def test_a_quoted_subject_is_read_in_every_language(language: str) -> None:
    row = WORDS[language]
    expected = row["example"].replace("：", ":").partition(":")[2].strip()
    assert quoted.subject(report(text=f"Notice.\n\n{row['example']}\n\nBye")) == expected
    for word in row["words"]:
        assert quoted.subject(report(text=f"> {word.upper()}: one")) == "one"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ('Subject: "Spring"', "Spring"),
        ("  Subject : Spring \n", "Spring"),
        ("* Subject=Spring", "Spring"),
        ("Subject: \nSpring", None),
        ("The subject: it was bad", None),
        ("Subjective: yes", None),
        ("Subject: " + " " * 20_000, None),
        ("Subject" + " " * 20_000 + ": x", None),
    ],
)
def test_what_is_a_quoted_subject(text: str, subject: str | None) -> None:
    assert quoted.subject(report(text=text)) == subject


def test_what_was_returned_goes_before_what_is_quoted() -> None:
    assert quoted.subject(report(text="Subject: one", original=Original("inline", subject="two"))) == "two"
    assert quoted.subject(report(text="Subject: one", original=Original("inline"))) == "one"
