"""Mails on disk: what is one, what is many, what is none."""

import os
import threading
from pathlib import Path

import pytest

from server.mailfiles import read
from server.settings import UserError

START = b"From MAILER-DAEMON Thu Jan  1 00:00:00 2026\n"


def mails(*paths: Path) -> list[tuple[str, bytes]]:
    return list(read(paths))


def written(path: Path, octets: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(octets)
    return path


@pytest.mark.parametrize(
    "octets", [b"", b"Subject: x\r\n\r\nbody", b"From: a@x.example\n\n", b"From nowhere\n", b"\xff" * 9]
)
def test_a_file_is_one_mail_octet_by_octet(tmp_path: Path, octets: bytes) -> None:
    path = written(tmp_path / "a.eml", octets)
    assert mails(path) == [(str(path), octets)]


def test_a_mail_with_an_mbox_line_in_front(tmp_path: Path) -> None:
    path = written(tmp_path / "a.eml", START + b"Subject: x\n\nbody\n")
    assert mails(path) == [(str(path), b"Subject: x\n\nbody\n")]


def test_an_eml_is_one_mail_whatever_stands_in_it(tmp_path: Path) -> None:
    inside = b"Subject: x\n\nbody\n\n" + START + b"Subject: returned\n\nmore\n"
    path = written(tmp_path / "a.EML", START + inside)
    assert mails(path) == [(str(path), inside)]


def test_an_mbox_of_several(tmp_path: Path) -> None:
    mbox = START + b"Subject: 1\n\none\n\n" + START + b"Subject: 2\n\n\n" + START + b"Subject: 3\n\nthree"
    path = written(tmp_path / "box", mbox)
    assert mails(path) == [
        (f"{path}:1", b"Subject: 1\n\none\n"),
        (f"{path}:2", b"Subject: 2\n\n"),
        (f"{path}:3", b"Subject: 3\n\nthree"),
    ]


def test_an_mbox_with_crlf(tmp_path: Path) -> None:
    mbox = (START + b"Subject: 1\n\none\n\n" + START + b"Subject: 2\n\ntwo\n").replace(b"\n", b"\r\n")
    assert [raw for _, raw in mails(written(tmp_path / "box", mbox))] == [
        b"Subject: 1\r\n\r\none\r\n",
        b"Subject: 2\r\n\r\ntwo\r\n",
    ]


def test_quoting_is_taken_back(tmp_path: Path) -> None:
    """RFC 4155 leaves it to the writer; most put one > before a line that begins with any number of > and From."""
    path = written(tmp_path / "box", START + b"Subject: 1\n\n>From here\n>>From there\n> From\nmid >From\n")
    assert mails(path)[0][1] == b"Subject: 1\n\nFrom here\n>From there\n> From\nmid >From\n"


@pytest.mark.parametrize("line", [b"From here to there\n", b"From me 12:00 at noon\n"])
def test_a_line_of_text_begins_no_mail(tmp_path: Path, line: bytes) -> None:
    body = b"Subject: 1\n\nfirst\n\n" + line + b"last\n"
    assert [raw for _, raw in mails(written(tmp_path / "box", START + body))] == [body]


def test_a_start_without_an_empty_line_before_it_begins_no_mail(tmp_path: Path) -> None:
    body = b"Subject: 1\n\nforwarded:\n" + START + b"Subject: inner\n"
    assert [raw for _, raw in mails(written(tmp_path / "box", START + body))] == [body]


@pytest.mark.parametrize(
    "start",
    [
        b"From a@x.example Thu Jan  1 00:00:00 2026\n",
        b"From a@x.example Thu Jan 1 00:00:00 +0100 2026\n",
        b"From a@x.example Thu Jan  1 00:00:00 2026 +0100\n",
        b'From "a b"@x.example Thu Jan  1 00:00 2026\n',
        b"From - Thu Jan  1 00:00:00 2026\n",
    ],
)
def test_the_ways_in_which_a_start_is_written(tmp_path: Path, start: bytes) -> None:
    assert len(mails(written(tmp_path / "box", start + b"Subject: 1\n\n" + start + b"Subject: 2\n\n"))) == 2


def test_a_folder_is_read_to_its_depths_in_order(tmp_path: Path) -> None:
    for name in ("b.eml", "a/z.eml", "a/b/c.eml", ".hidden"):
        written(tmp_path / name, name.encode())
    written(tmp_path / "c.mbox", START + b"1\n\n" + START + b"2\n")
    (tmp_path / "empty").mkdir()
    found = [(name.removeprefix(f"{tmp_path}/"), raw) for name, raw in mails(tmp_path)]
    assert found == [
        ("a/b/c.eml", b"a/b/c.eml"),
        ("a/z.eml", b"a/z.eml"),
        ("b.eml", b"b.eml"),
        ("c.mbox:1", b"1\n"),
        ("c.mbox:2", b"2\n"),
    ]


def test_a_maildir_without_what_is_being_delivered(tmp_path: Path) -> None:
    for box in ("", ".Sent/"):
        for name in ("cur/1:2,S", "new/2", "tmp/3", "dovecot-uidlist"):
            written(tmp_path / f"{box}{name}", f"{box}{name}".encode())
    written(tmp_path / "elsewhere" / "tmp" / "kept", b"elsewhere/tmp/kept")
    assert [raw.decode() for _, raw in mails(tmp_path)] == [
        ".Sent/cur/1:2,S",
        ".Sent/new/2",
        "cur/1:2,S",
        "elsewhere/tmp/kept",
        "new/2",
    ]


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=pipe.write_bytes, args=(b"Subject: x\n\nbody",))
    thread.start()
    assert mails(pipe) == [(str(pipe), b"Subject: x\n\nbody")]
    thread.join()


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    present = written(tmp_path / "a.eml", b"x")
    found = read([present, tmp_path / "no"])
    assert next(found)[1] == b"x"
    with pytest.raises(UserError, match="no: there is no such file or folder"):
        next(found)
