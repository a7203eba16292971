import pytest

from handlers.parse import addresses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("to <jo@dest.example>: no", ["jo@dest.example"]),
        ("'jo@dest.example', \"ann@dest.example\".", ["jo@dest.example", "ann@dest.example"]),
        ("mailto:jo@dest.example?subject=x", ["jo@dest.example"]),
        ("宛先jo@dest.exampleに配信", ["jo@dest.example"]),
        ("<jörg@dest.example>", ["jörg@dest.example"]),
        ('<"jo smith"@dest.example>', ['"jo smith"@dest.example']),
        ("jo@[192.0.2.1]", ["jo@[192.0.2.1]"]),
        ("* jo@dest.example", ["jo@dest.example"]),
        ("to=jo@dest.example, RCPT=ann@dest.example dsn=5.1.1", ["jo@dest.example", "ann@dest.example"]),
        ("<to=jo@dest.example> b=jo=dest.example@rp.example", ["to=jo@dest.example", "b=jo=dest.example@rp.example"]),
        ("jo@dest.example.", ["jo@dest.example"]),
        ("a @ b and @dest.example and jo@", []),
        ("@@@@", []),
        ("", []),
    ],
)
def test_find(text: str, found: list[str]) -> None:
    assert [address for _, _, address in addresses.find(text)] == found


def test_positions_are_those_of_the_address() -> None:
    text = "see <jo@dest.example>, *ann@dest.example"
    for start, end, address in addresses.find(text):
        assert text[start:end] == address


def test_unique_keeps_order_and_case() -> None:
    assert addresses.unique("Jo@dest.example jo@DEST.example ann@dest.example") == (
        "Jo@dest.example",
        "ann@dest.example",
    )


def test_bounded() -> None:
    assert len(addresses.unique(" ".join(f"u{i}@dest.example" for i in range(500)))) == addresses.MOST
