import pytest

from handlers.parse import headers


def test_first_value_wins_and_names_are_folded() -> None:
    fields = headers.split_block(b"Subject : one\nSUBJECT: two\nno field here\nX: a\n b\n\tc")
    assert fields["subject"] == "one"
    assert headers.unfold(fields["x"]) == "a b c"
    assert len(fields) == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("=?utf-8?q?Zustellung_fehlgeschlagen?=", "Zustellung fehlgeschlagen"),
        ("=?utf-8?B?6YWN?= =?UTF-8?B?5L+h?=", "配信"),  # white space between words is dropped
        ("=?utf-8?B?6YU=?= =?utf-8?B?jQ==?=", "配"),  # a character split over two words
        ("=?iso-8859-1*de?q?=FCber?=", "über"),  # RFC 2231 5: with a language
        ("=?utf-8?b?YQ", "=?utf-8?b?YQ"),  # torn
        ("a =?x-none?q?b=20c?= d", "a b c d"),
        ("tab\there", "tab here"),
        ("nul\x00here", "nul here"),
    ],
)
def test_text(value: str, said: str) -> None:
    assert headers.text(value) == said


def test_raw_octets_are_read_as_utf8_or_guessed() -> None:
    fields = headers.split_block("Subject: Empfänger".encode())
    assert headers.text(fields["subject"]) == "Empfänger"
    fields = headers.split_block("Subject: Empfänger".encode("latin-1"))
    assert headers.text(fields["subject"]) == "Empfänger"


def test_message_ids() -> None:
    assert headers.message_ids("<a@b> <c@d>\x1e <e@f> junk") == ("<a@b>", "<c@d>", "<e@f>")
    assert headers.message_id("a@b.example") == "<a@b.example>"
    assert headers.message_id("<<<") is None
    assert headers.message_id("") is None
    assert len(headers.message_ids("<a@b> " * 5000)) == 100


def test_blocks_are_bounded() -> None:
    assert len(headers.split_block(b"".join(b"X%d: y\n" % i for i in range(50_000)))) <= headers.FIELDS


@pytest.mark.parametrize("said", ["苦情", "Ja, à", "…"])  # their last octet is 85 or A0
def test_no_octet_of_a_character_is_stripped(said: str) -> None:
    assert headers.text(headers.split_block(f"Subject: {said}\nX: y".encode())["subject"]) == said
