import pytest

from handlers.parse.charset import codec_name, decode


@pytest.mark.parametrize(
    ("text", "written", "declared"),
    [
        ("Empfänger unbekannt", "latin-1", "iso-8859-1"),
        ("Empfänger unbekannt", "utf-8", "iso-8859-1"),  # wrong label: valid UTF-8 is likelier
        ("Empfänger unbekannt", "utf-8", "us-ascii"),
        ("Empfänger unbekannt", "utf-8", None),
        ("“quoted” – said", "cp1252", "iso-8859-1"),  # Windows characters under the label of Latin-1
        ("配信できません", "shift_jis", "Shift_JIS"),
        ("配信できません", "iso-2022-jp", "iso-2022-jp"),
        ("配信できません", "iso-2022-jp", None),  # seven bits, told by its escapes
        ("配信できません", "euc-jp", "x-euc-jp"),
        ("无法投递", "gbk", "gb2312"),
        ("배달 실패", "cp949", "ks_c_5601-1987"),
        ("не доставлено", "koi8-r", "koi8-r"),
        ("לא נמסר", "cp1255", "windows-1255"),
        ("plain", "ascii", "no-such-charset"),
    ],
)
def test_declared_then_utf8(text: str, written: str, declared: str | None) -> None:
    assert decode(text.encode(written), declared) == (text, False)


def test_a_guess_is_told() -> None:
    russian = (
        "Ваше сообщение не было доставлено получателю, потому что такого адреса у нас нет. Проверьте его и повторите. "
        * 2
    )
    text, guessed = decode(russian.encode("koi8-r"), None)
    assert (text, guessed) == (russian, True)


def test_short_text_is_not_guessed_at() -> None:
    assert decode("Empfänger".encode("latin-1"), None) == ("Empfänger", True)


@pytest.mark.parametrize(
    "label",
    [
        "zip",
        "hex",
        "rot13",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "x" * 500,
        "",
        "\x00",
        "../../etc",
        None,
    ],
)
def test_what_is_no_charset_of_mail_is_not_used(label: str | None) -> None:
    assert codec_name(label) == ""
    assert decode(b"caf\xc3\xa9 \\u0041", label)[0] == "café \\u0041"


@pytest.mark.parametrize("label", ["utf-7", "utf-16", "utf-32", "hz-gb-2312", "iso-2022-jp", "utf-8"])
def test_no_half_pair_of_surrogates_comes_out(label: str) -> None:
    for data in (b"+2AA-", b"\x00\xd8\x00\x00", b"\xed\xa0\x80", b"\x1b$B\xff", bytes(range(256))):
        decode(data, label)[0].encode()


def test_utf8_that_is_cut_within_a_character_is_utf8() -> None:
    assert decode("Empfänger ü".encode()[:-1], None) == ("Empfänger ", False)
