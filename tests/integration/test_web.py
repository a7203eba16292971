"""The pages on real databases: what they show, how they turn, and what they refuse."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, text
from starlette.testclient import TestClient

from handlers.outcome import Outcome
from handlers.words import Detectability, Kind
from server.web.application import site
from server.web.guard import HEADERS, allowed_hosts
from server.web.listing import LOOKED_AT, SIZE
from storage import messages
from storage.database import Database, locate, migrate
from storage.store import store
from tests.integration.database_fixture import migrated

Make = Callable[..., Outcome]
PAGES = (
    "/",
    "/captures",
    "/captures/10",
    "/captures/10/raw",
    "/bounces",
    "/blindspots",
    "/messages",
    "/suppressions",
    "/healthz",
)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(site(database, tmp_path / "journal"), base_url="http://localhost") as opened:
        yield opened


@pytest.fixture
def filled(database: Database, outcome_of: Make) -> Database:
    """Three captures of this hour: 10 matched, 20 undetectable, 30 an auto-reply in no account."""
    with database.writer() as connection:
        ours = messages.register(
            connection, "acme", [("Ann@x.example", "t-1")], message_id="<m1@s.example>", subject="Spring", campaign="c7"
        )[0]
        detached = outcome_of(
            20, detectability=Detectability.UNDETECTABLE, undetectable_reason="recipient_only", authentication={}
        )
        reply = outcome_of(30, detectability=Detectability.NOT_A_BOUNCE, verdicts=(), notice_form=None)
        reply = replace(reply, report=replace(reply.report, kind=Kind.AUTO_REPLY, recipients=(), subject="Away"))
        matched = outcome_of(10, ours, authentication={"spf": "pass", "dmarc": "none"}, trust="aligned")
        store(connection, [recent(each) for each in (matched, detached, reply)], "worker", 40)
    return database


def recent(outcome: Outcome) -> Outcome:
    envelope = replace(outcome.mail.envelope, received_at=datetime.now(UTC))
    return replace(outcome, mail=replace(outcome.mail, envelope=envelope))


def linked(page: str) -> list[int]:
    """The captures that a page links to, in its order."""
    return [int(part.partition('"')[0]) for part in page.split('href="/captures/')[1:]]


def turned(client: TestClient, page: str, relation: str) -> str:
    """The page that this one links to as `prev` or `next`."""
    target = page.partition(f'rel="{relation}" href="')[2].partition('"')[0].replace("&amp;", "&")
    return client.get("/captures" + target).text


def test_an_empty_service_says_what_to_do_first(client: TestClient) -> None:
    page = client.get("/").text
    assert "bouncemx mint" in page
    assert "swaks --server" in page
    assert client.get("/captures").status_code == 200


def test_the_overview_counts(filled: Database, client: TestClient) -> None:
    page = re.sub(r">\s+<", "><", client.get("/").text)
    assert "<b>3</b> captures" in page
    for value, number in (("failure", 2), ("auto_reply", 1), ("undetectable", 1), ("hard", 1)):
        assert f'<span class="word {value}">{value}</span></a></th><td class="number">{number}</td>' in page
    assert 'scope="row">user_unknown</th><td class="number">1</td>' in page
    assert linked(page) == [30, 20, 10]


@pytest.mark.parametrize(("period", "bars"), [("day", 24), ("week", 28), ("month", 30)])
def test_the_chart_holds_the_period(
    database: Database, client: TestClient, outcome_of: Make, period: str, bars: int
) -> None:
    old = recent(outcome_of(1))
    envelope = replace(old.mail.envelope, received_at=datetime.now(UTC) - timedelta(days=3))
    with database.writer() as connection:
        store(connection, [replace(old, mail=replace(old.mail, envelope=envelope)), recent(outcome_of(2))], "w", 3)
    page = client.get(f"/?period={period}").text
    assert page.count("<title>") - 1 == bars
    assert page.count(": 1</title>") == (1 if period == "day" else 2)


def test_a_capture_is_told_whole(filled: Database, client: TestClient) -> None:
    page = client.get("/captures/10").text
    for shown in (
        "Undelivered", "Ann<wbr>@x.example", "hard", "user_unknown", "unknown_user", "user-unknown", "no such user",
        "forward_path", "valid", "strong", "t-1", "spf", "pass", "aligned", "&lt;&gt;", "b-token<wbr>@bounce.test",
        "Spring", "c7", "&lt;m1<wbr>@s.example&gt;", "acme", "550 no such user", "192.0.2.7", "mx.example",
        "alias<wbr>@mx.example", "/captures/10/raw",
    ):  # fmt: skip
        assert shown in page, shown


def test_an_undetectable_capture_says_why(filled: Database, client: TestClient) -> None:
    page = client.get("/captures/20").text
    assert "carries nothing to tie it" in page
    assert "recipient_only" in page


def test_the_mail_is_saved_and_never_shown(filled: Database, client: TestClient) -> None:
    answer = client.get("/captures/10/raw")
    assert answer.content == b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered\r\n\r\nno such user \xff\x00\r\n"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="capture-10.eml"'
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_other_lists(filled: Database, client: TestClient) -> None:
    bounces, sent, suppressed = (client.get(path).text for path in ("/bounces", "/messages", "/suppressions"))
    assert linked(bounces) == [10]
    assert "550 5.1.1" in bounces
    assert "&lt;m1<wbr>@s.example&gt;" in sent
    assert "ann<wbr>@x.example" in suppressed
    assert linked(suppressed) == [10]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=failure", [20, 10]),
        ("kind=&detectability=&text=", [30, 20, 10]),
        ("detectability=undetectable", [20]),
        ("kind=delay", []),
        ("text=ANN@X", [10]),
        ("text=away&kind=auto_reply", [30]),
        ("text=nothing+has+this", []),
        ("before=30", [20, 10]),
        ("since=10", [30, 20]),
    ],
)
def test_filters_of_captures(filled: Database, client: TestClient, query: str, found: list[int]) -> None:
    assert linked(client.get(f"/captures?{query}").text) == found


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("/bounces?type=hard", 1),
        ("/bounces?type=soft", 0),
        ("/bounces?address=ANN@x.example", 1),
        ("/bounces?address=bob@x.example", 0),
        ("/suppressions?address=Ann@X.example", 1),
        ("/suppressions?address=an", 0),
        ("/messages?before=1", 0),
    ],
)
def test_filters_of_the_other_lists(filled: Database, client: TestClient, query: str, number: int) -> None:
    assert client.get(query).text.count('<th scope="row"') == number


def test_pages_follow_each_other_both_ways(database: Database, client: TestClient, outcome_of: Make) -> None:
    number = 2 * SIZE + 10
    with database.writer() as connection:
        store(connection, [outcome_of(i) for i in range(1, number + 1)], "worker", number + 1)
    pages = [client.get("/captures").text]
    for _ in range(2):
        pages.append(turned(client, pages[-1], "next"))
    assert [linked(page) for page in pages] == [
        list(range(number, number - SIZE, -1)), list(range(number - SIZE, 10, -1)), list(range(10, 0, -1))
    ]  # fmt: skip
    assert 'rel="prev"' not in pages[0]
    assert 'rel="next"' not in pages[2]
    assert linked(turned(client, pages[2], "prev")) == linked(pages[1])
    back = turned(client, turned(client, pages[2], "prev"), "prev")
    assert linked(back) == linked(pages[0])
    assert 'rel="prev"' not in back


def test_pages_keep_their_filter(database: Database, client: TestClient, outcome_of: Make) -> None:
    with database.writer() as connection:
        store(connection, [outcome_of(i) for i in range(1, SIZE + 20)], "worker", SIZE + 20)
    page = client.get("/captures?kind=failure&text=undelivered&detectability=").text
    following = turned(client, page, "next")
    assert linked(following) == list(range(19, 0, -1))
    assert "<option selected>failure</option>" in following
    assert 'value="undelivered"' in following


def test_a_search_looks_through_so_many_and_goes_on(database: Database, client: TestClient, outcome_of: Make) -> None:
    needle = outcome_of(5)
    needle = replace(needle, report=replace(needle.report, subject="needle"))
    with database.writer() as connection:
        store(connection, [needle, *(outcome_of(i) for i in range(10, 10 + LOOKED_AT))], "worker", 10 + LOOKED_AT)
    page = client.get("/captures?text=needle").text
    assert linked(page) == []
    assert f"among the {LOOKED_AT}" in page
    assert linked(turned(client, page, "next")) == [5]


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/captures/11", "/captures?a=b", "/static/bouncemx.css"])
def test_every_answer_has_the_headers(filled: Database, client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", PAGES)
def test_head_is_get_without_the_content(filled: Database, client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == get.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/captures/10", "/static/bouncemx.css", "/nowhere"])
def test_only_get_and_head(filled: Database, client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/?period=year", "period: "),
        ("/?a=b", "a is not known here"),
        ("/captures?kin=failure", "kin is not known here"),
        ("/captures?kind=bogus", "kind: "),
        ("/captures?before=-1", "before: "),
        ("/captures?since=9223372036854775808", "since: "),
        ("/captures?text=" + "x" * 201, "text: "),
        ("/captures/10?raw=1", "raw is not known here"),
        ("/captures/10/raw?a=b", "a is not known here"),
        ("/captures/ten", "key: "),
        ("/captures/99999999999999999999999", "key: "),
        ("/bounces?type=bouncy", "type: "),
        ("/messages?text=x", "text is not known here"),
        ("/healthz?a=b", "a is not known here"),
        ("/captures?" + "%3Cscript%3E=1", "&lt;script&gt; is not known here"),
    ],
)
def test_what_does_not_belong_in_an_address_is_told(client: TestClient, path: str, told: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert told in answer.text
    assert "pydantic" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/captures/11", "/captures/11/raw", "/captures/", "/static/", "/static/..%2Fpages.py", "/openapi.json",
     "/docs"],
)  # fmt: skip
def test_what_is_not_here(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Not here" in answer.text


HOSTILE = ("\x00", "\ud800", "'", '"', "%", "_", "\\", "';--", "<script>", "\r\nX: y", "\u202e", "{{7*7}}", "../../etc")


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("path", "name"), [("/captures", "text"), ("/bounces", "address"), ("/suppressions", "address")]
)
def test_hostile_searches_find_nothing(filled: Database, client: TestClient, path: str, name: str, value: str) -> None:
    sent = value.encode("utf-8", "surrogatepass")
    answer = client.get(path, params={name: b"no-such-" + sent})
    assert answer.status_code == 200
    assert answer.text.count('<th scope="row"') == 0
    assert "<script>" not in answer.text


def test_health_tells_the_newest_and_the_backlog(filled: Database, client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / f"{30:020}.seg").write_bytes(bytes(25))  # 30 to 55, stored up to 40
    told = client.get("/healthz").json()
    assert told["database"] == "ok"
    assert told["newest_capture"]["id"] == 30
    assert told["backlog_octets"] == 15


def test_a_fault_of_ours_shows_no_traceback(filled: Database, tmp_path: Path) -> None:
    with filled.writer() as connection:
        connection.execute(text("UPDATE capture SET recipients = '7' WHERE id = 10"))
    client = TestClient(site(filled, tmp_path), base_url="http://localhost", raise_server_exceptions=False)
    answer = client.get("/captures/10")
    assert answer.status_code == 500
    assert "fault of bouncemx" in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]
    assert client.get("/captures/20").status_code == 200


def test_a_database_that_is_not_there_yet(tmp_path: Path) -> None:
    url = locate(None, tmp_path)
    with Database(url) as db, TestClient(site(db, tmp_path / "journal"), base_url="http://localhost") as client:
        for path in PAGES:
            assert client.get(path).status_code == 503, path
        away = client.get("/")
        assert "kept in the journal" in away.text
        assert "Traceback" not in away.text
        assert away.headers["retry-after"] == "10"
        assert client.get("/healthz").json() == {"database": "away", "newest_capture": None, "backlog_octets": None}
        migrate(url)
        assert client.get("/").status_code == 200
        assert client.get("/healthz").json()["database"] == "ok"


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_database_that_goes_and_comes_back(filled: Database, client: TestClient, url: URL) -> None:
    assert client.get("/").status_code == 200
    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false"))
        ours = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        connection.execute(ours, {"name": url.database})
        assert [client.get(path).status_code for path in ("/", "/captures", "/healthz")] == [503] * 3
        connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true"))
    engine.dispose()
    assert [client.get(path).status_code for path in ("/", "/captures", "/healthz")] == [200] * 3


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8025", 200),
        ("LOCALHOST.", 200),
        ("127.0.0.1:8025", 200),
        ("[::1]:8025", 200),
        ("127.0.0.5:8025", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example:127.0.0.1", 421),
        ("[::2]", 421),
        ("", 421),
        ("10.0.0.1", 421),
    ],
)
def test_on_loopback_only_our_names_are_answered(tmp_path: Path, host: str, status: int) -> None:
    url = migrated(tmp_path)
    hosts = allowed_hosts("127.0.0.5:8025", ["127.0.0.5"])
    with Database(url) as db, TestClient(site(db, tmp_path, hosts)) as client:
        answer = client.get("/", headers={"host": host})
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]


@pytest.mark.parametrize(
    ("address", "bound", "hosts"),
    [
        ("127.0.0.1:8025", ["127.0.0.1"], {"localhost", "127.0.0.1", "::1"}),
        ("Pages.test:80", ["127.0.0.1", "::1"], {"localhost", "127.0.0.1", "::1", "pages.test"}),
        (":8025", ["0.0.0.0", "::"], set()),  # noqa: S104
        ("192.0.2.1:80", ["192.0.2.1"], set()),
        ("x:80", ["127.0.0.1", "192.0.2.1"], set()),
    ],
)
def test_the_names_of_a_service(address: str, bound: list[str], hosts: set[str]) -> None:
    assert allowed_hosts(address, bound) == hosts


def test_one_of_many_recipients_bounds_the_page(database: Database, client: TestClient, outcome_of: Make) -> None:
    big = outcome_of(1)
    status: Any = big.report.recipients[0]
    many = tuple(replace(status, final_recipient=f"r{i}@x.example") for i in range(3000))
    big = replace(big, report=replace(big.report, recipients=many), verdicts=big.verdicts * 3000)
    with database.writer() as connection:
        store(connection, [big], "worker", 2)
    page = client.get("/captures/1").text
    assert "2900 more recipients" in page
    assert len(page) < 200_000
    assert "and 2999 more" in client.get("/captures").text
