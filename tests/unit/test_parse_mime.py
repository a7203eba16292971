import pytest

from handlers.parse import mime
from handlers.parse.mime import Mail


def mixed(*parts: bytes, boundary: bytes = b"b", close: bool = True) -> bytes:
    head = b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n' % boundary
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return head + body + (b"--%s--\r\n" % boundary if close else b"")


def bodies(raw: bytes) -> list[bytes]:
    return [leaf.body for leaf in Mail(raw).leaves]


def test_parts_lose_the_line_break_before_the_delimiter_and_no_more() -> None:
    assert bodies(mixed(b"\r\none\r\n", b"\r\ntwo")) == [b"one\n", b"two"]


def test_a_boundary_that_starts_like_ours_is_content() -> None:
    assert bodies(mixed(b"\r\nx\r\n--bb\r\ny", boundary=b"b")) == [b"x\n--bb\ny"]


def test_nested_multiparts_give_leaves_in_order() -> None:
    inner = mixed(b"\r\n1", b"\r\n2", boundary=b"in")
    assert bodies(mixed(inner, b"\r\n3", boundary=b"out")) == [b"1", b"2", b"3"]


def test_a_returned_mail_is_one_leaf() -> None:
    returned = b"Content-Type: message/rfc822\r\n\r\n" + mixed(
        b"Content-Type: message/delivery-status\r\n\r\nx", boundary=b"in"
    )
    leaves = Mail(mixed(returned)).leaves
    assert [leaf.type for leaf in leaves] == ["message/rfc822"]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (mixed(b"\r\nx", close=False), "not_closed"),
        (b"Content-Type: multipart/mixed\r\n\r\n--q\r\nContent-Type: text/plain\r\n\r\nx\r\n--q--\r\n", "no_boundary"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\nnothing here\r\n", "no_parts"),
        (b"Subject: x", "no_body_separator"),
    ],
)
def test_faults_are_told(raw: bytes, fault: str) -> None:
    mail = Mail(raw)
    assert fault in mail.faults
    assert mail.leaves


def test_an_undeclared_boundary_is_guessed() -> None:
    raw = b"Content-Type: multipart/mixed\r\n\r\n--q\r\nContent-Type: text/html\r\n\r\nx\r\n--q--\r\n"
    assert [(leaf.type, leaf.body) for leaf in Mail(raw).leaves] == [("text/html", b"x")]


def test_a_body_that_starts_without_an_empty_line() -> None:
    mail = Mail(b"From: a@b.example\r\nSubject: x\r\nThis is the body.\r\n")
    assert mail.root.headers == {"from": "a@b.example", "subject": "x"}
    assert mail.leaves[0].body == b"This is the body.\n"


def test_an_mbox_line_and_empty_lines_before_the_header_are_skipped() -> None:
    mail = Mail(b"From daemon Mon Jan 1 00:00:00 2026\r\n\r\nSubject: x\r\n\r\nbody")
    assert mail.root.headers["subject"] == "x"


def test_depth_and_parts_are_bounded() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(1000))
    assert "too_deep" in Mail(deep).faults
    many = Mail(mixed(*[b"\r\nx"] * 3000))
    assert len(many.leaves) <= mime.PARTS


@pytest.mark.parametrize(
    ("encoding", "body", "octets"),
    [
        (b"quoted-printable", b"a=3Db=\r\nc", b"a=bc"),
        (b"base64", b"aGVs\r\nbG8=", b"hello"),
        (b"base64", b"aGVsbG8", b"hello"),
        (b"base64", b"!!aGVsbG8!!", b"hello"),
        (b"x-unknown", b"as it is", b"as it is"),
    ],
)
def test_transfer_encodings_give_what_they_can(encoding: bytes, body: bytes, octets: bytes) -> None:
    raw = b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body
    assert Mail(raw).leaves[0].octets().rstrip(b"\n") == octets


def test_parameters_are_read_quoted_and_bare() -> None:
    part = Mail(b'Content-Type: text/plain; charset="UTF-8";\r\n\tname=a.txt; format=flowed\r\n\r\nx').root
    assert part.parameters == {"charset": "UTF-8", "name": "a.txt", "format": "flowed"}
    assert part.filename == "a.txt"


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b"\r\r\n"])
def test_any_end_of_line(end: bytes) -> None:
    mail = Mail(end.join([b"Subject: x", b"X: y", b"", b"one", b"two"]))
    assert mail.root.headers == {"subject": "x", "x": "y"}
    assert mail.leaves[0].body == b"one\ntwo"


def test_ends_of_lines_inside_an_encoding() -> None:
    raw = b"Content-Transfer-Encoding: base64\r\n\r\nYQ0KDQpiDQo="
    assert Mail(raw).leaves[0].octets() == b"a\n\nb\n"
