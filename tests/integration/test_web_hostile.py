"""What comes from mail is inert on every page: it stands there as text, and adds no markup, link or sign of its own."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from handlers.bounce import Link, Verdict
from handlers.outcome import Outcome, Suppression
from handlers.report import Original
from handlers.words import Detectability, LinkMethod
from server.web.application import site
from server.web.visible import moment, octets, short, visible
from storage import messages
from storage.database import Database
from storage.store import store

SCRIPT = "<script>alert(1)</script>"
PAYLOADS = (
    SCRIPT,
    "\"'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</pre></bdi></td></table><iframe src=//evil.example>",
    "' onmouseover='alert(1)' style='position:fixed",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "data:text/html,<em>x",
    "invoice\u202egnp.exe\u2066\u2069\u061c",
    "\x1b[2J\x1b]0;owned\x07\r\nX-Injected: 1\x9b31m\x7f",
    "zero\u200bwidth\u2060\ufeff\u2028\u2029",
    "z" + "\u0300" * 500,
    "&lt;script&gt;&#x202e;",
)
TAGS = re.compile(
    "html|head|meta|title|link|body|a|header|nav|main|h[123]|p|section|article|span|time|bdi|wbr|dl|dt|dd|table|caption"
    "|thead|tbody|tr|th|td|div|pre|code|small|b|blockquote|footer|form|label|select|option|input|button|ul|li|figure"
    "|figcaption|svg|rect|br"
)
PAGES = ("/", "/captures", "/captures/10", "/bounces", "/messages", "/suppressions")


class Seen(HTMLParser):
    """The tags, attributes and text of a page, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(outcome_of: Callable[..., Outcome], database: Database, payload: str) -> Outcome:
    """A capture with the payload in every field that a mail, or whoever sent the original, can fill."""
    printable = "".join(c if c.isprintable() else "?" for c in payload)[:60]
    with database.writer() as connection:
        delivery = messages.register(
            connection, printable, [(printable + "@x.example", printable)], message_id=printable,
            envelope_id=printable, subject=payload, campaign=payload,
        )[0]  # fmt: skip
    made = outcome_of(10, delivery)
    status = replace(
        made.report.recipients[0], final_recipient=payload, original_recipient=payload, diagnostic_code=payload,
        remote_mta=payload, status=payload,
    )  # fmt: skip
    report = replace(
        made.report, recipients=(status,), subject=payload, message_id=payload, from_=payload, date=payload,
        reporting_mta=payload, dsn_gateway=payload, received_from_mta=payload, original_envelope_id=payload,
        arrival_date=payload, text=payload, dialect=payload, gateway=payload, language=payload,
        original=Original(payload, payload, payload, payload, payload), faults=(payload,),
        suggestion={payload: payload},
    )  # fmt: skip
    envelope = replace(
        made.mail.envelope, reverse_path=payload, forward_paths=(payload,), helo=payload, client=payload, tls=payload
    )
    verdict = made.verdicts[0]
    verdict = Verdict(verdict.reason, verdict.type, verdict.category, payload, payload, 0.5, guess=True)
    return replace(
        made,
        mail=replace(made.mail, envelope=envelope, raw=payload.encode()),
        report=report,
        verdicts=(verdict,),
        links=(Link(LinkMethod.TOKEN, payload, payload, payload, delivery.id, payload),),
        bounces=(replace(made.bounces[0], recipient=status, verdict=verdict, address=payload, token=payload),),
        suppressions=(Suppression(payload, None, verdict.type, verdict.category, verdict.reason),),
        authentication={payload: payload},
        trust=payload,
        held=payload,
        undetectable_reason=payload,
    )


@pytest.fixture(params=PAYLOADS)
def payload(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def client(
    database: Database, tmp_path: Path, outcome_of: Callable[..., Outcome], payload: str
) -> Iterator[TestClient]:
    made = hostile(outcome_of, database, payload)
    other = replace(made, mail=replace(made.mail, position=20), bounces=(), suppressions=(), delivery=None)
    with database.writer() as connection:
        store(connection, [made, replace(other, detectability=Detectability.UNDETECTABLE)], "worker", 30)
    with TestClient(site(database, tmp_path), base_url="http://localhost") as opened:
        yield opened


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_nothing_of_a_mail_is_markup(client: TestClient, payload: str) -> None:
    for path in (*PAGES, "/captures/20", "/bounces?address=" + "%3Cscript%3E"):
        page = client.get(path).text
        seen = Seen(page)
        assert all(map(TAGS.fullmatch, seen.tags)), path
        for name, value in seen.attributes:
            assert not name.startswith("on"), path
            assert name != "style", path
            if name in ("href", "src", "action"):
                assert value.startswith(("/", "?", "#")), path
                assert not value.startswith("//"), path
        suspicious = {c for c in page if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
        assert suspicious <= {"\n"}, path
        assert "\u0300" * 4 not in page, path


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("payload", [SCRIPT], indirect=True)
def test_it_stands_there_as_text(client: TestClient, payload: str) -> None:
    for path in PAGES:
        assert SCRIPT in Seen(client.get(path).text).text, path
    assert client.get("/captures/10").text.count("&lt;script&gt;") > 35


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("payload", [SCRIPT], indirect=True)
def test_the_mail_itself_is_no_page(client: TestClient, payload: str) -> None:
    answer = client.get("/captures/10/raw")
    assert answer.content == payload.encode()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Grüße, 日本語, שלום, \U0001f468\u200d\U0001f469", None),
        ("tab\tand\r\nlines\n", "tab\tand\nlines\n"),
        ("a\x1b[31m\x00\x7f", "a⟨U+001B⟩[31m⟨U+0000⟩⟨U+007F⟩"),
        ("a\u202eb\u2028\ufeff\x85", "a⟨U+202E⟩b⟨U+2028⟩⟨U+FEFF⟩⟨U+0085⟩"),
        ("\ue000\U000e0041", "⟨U+E000⟩⟨U+E0041⟩"),
        ("e\u0301" + "\u0301" * 9 + "x", "e\u0301\u0301\u0301x"),
        ("", None),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str | None) -> None:
    assert visible(text) == (text if shown is None else shown)


def test_values_that_are_no_text() -> None:
    assert (visible(None), visible(7), visible(value=0)) == ("", 7, 0)
    assert (short(None), short("abcdef", 4), short("abcd", 4)) == ("", "abc…", "abcd")
    assert (moment(None), moment("2026-03-04T05:06:07.890123+00:00")) == ("", "2026-03-04 05:06:07")
    assert [octets(n) for n in (0, 1023, 1536, 5 << 20, 3 << 30)] == [
        "0 octets", "1023 octets", "1.5 KiB", "5.0 MiB", "3.0 GiB"
    ]  # fmt: skip
