"""The table of replies: its codes, its words, and its page."""

import pytest

from handlers import replies
from handlers.replies import Reply
from tests import docs_replies

TABLE = replies.table()
OWN_TROUBLE = ("space", "storage", "busy", "local trouble", "not available", "stopping", "timeout", "too much mail")


def test_the_table_has_every_reply_once() -> None:
    lines = [reply.line for reply in TABLE.values()]
    assert len(lines) == len(set(lines)) > 30
    assert TABLE["NO_SPACE"] is replies.NO_SPACE


# one test for the whole table each: a test a reply takes longer to begin than to run


def test_a_reply_is_one_short_printable_line() -> None:
    for name, reply in TABLE.items():
        assert reply.line.endswith(b"\r\n"), name
        assert reply.line[:-2].decode("ascii").isprintable(), name
        assert len(reply.line) <= 512, name  # RFC 5321 4.5.3.1.5
        assert reply.line.startswith(b"%d " % reply.code), name


def test_code_and_enhanced_status_are_of_one_class() -> None:
    for name, reply in TABLE.items():
        if name == "START_DATA":
            assert (reply.code, reply.enhanced_status) == (354, "")  # RFC 2034 4: only 2yz, 4yz and 5yz have one
            continue
        klass, subject, detail = reply.enhanced_status.split(".")
        assert klass == str(reply.code)[0], name
        assert (subject + detail).isdigit(), name


def test_our_own_trouble_is_never_permanent() -> None:
    troubles = {
        name: reply.code
        for name, reply in TABLE.items()
        if any(word in reply.text.lower() for word in (*OWN_TROUBLE, "try again"))
    }
    assert {"INTERNAL", "NO_SPACE", "BUSY"} <= troubles.keys()
    assert {name for name, code in troubles.items() if not 400 <= code < 500} == set()


def test_421_and_221_close_and_say_so() -> None:
    for name, reply in TABLE.items():
        assert reply.close or reply.code not in (221, 421), name  # RFC 5321 3.8
        assert reply.code < 500 or not reply.close or "closing" in reply.text, name


def test_a_reply_outside_ascii_can_not_be_made() -> None:
    with pytest.raises(UnicodeEncodeError):
        Reply(250, "2.0.0", "größer")


def test_one_word_more() -> None:
    assert replies.CAPTURED.with_text("17") == b"250 2.0.0 Ok: captured as 17\r\n"


def test_the_page_is_the_table() -> None:
    assert docs_replies.PAGE.read_text("utf-8") == docs_replies.page(), "run python -m tests.docs_replies"
    for name, reply in TABLE.items():
        assert f"| `{name}` |" in docs_replies.page(), reply
