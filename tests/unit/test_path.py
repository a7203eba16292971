"""Paths of MAIL and RCPT: the grammar of RFC 5321 4.1.2, and its price."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers import path
from handlers.path import Path, forward_path, reverse_path

TAKEN = {
    "<a@b.example>": ("a", "b.example"),
    "<A.B@B.Example>": ("A.B", "B.Example"),
    "<a@localhost>": ("a", "localhost"),
    "<a@b.example.>": ("a", "b.example."),
    "<a@_dmarc.x-y.example>": None,
    "<a@x_y.example>": ("a", "x_y.example"),
    "<a@1.2.3.4>": ("a", "1.2.3.4"),
    "<a@[192.0.2.1]>": ("a", "[192.0.2.1]"),
    "<a@[IPv6:2001:db8::1]>": ("a", "[IPv6:2001:db8::1]"),
    "<!#$%&'*+-/=?^_`{|}~@b>": ("!#$%&'*+-/=?^_`{|}~", "b"),
    '<"a b"@b>': ('"a b"', "b"),
    '<""@b>': ('""', "b"),
    r'<"a\"b\\c"@b>': (r'"a\"b\\c"', "b"),
    '<"a@c"@b>': ('"a@c"', "b"),
    '<"<>"@b>': ('"<>"', "b"),
    "<@r.example:a@b>": ("a", "b"),
    "<@r.example,@[192.0.2.1]:a@b>": ("a", "b"),
    "<grün@straße.example>": ("grün", "straße.example"),
    "<" + "a" * 300 + "@b>": ("a" * 300, "b"),  # SRS and XVERP make long ones
    "<postmaster>": None,
    "<>": None,
}
REFUSED = (
    "", " ", "a@b", "<a@b", "a@b>", "<<a@b>>", "<a>", "<@b>", "<a@>", "<a@@b>", "<a@b@c>", "<.a@b>", "<a.@b>",
    "<a..b@c>", "<a b@c>", "<a@b c>", "< a@b>", "<a@b >", "<a@.b>", "<a@b..c>", "<a@-b>", "<a@b->", "<a@b-.c>",
    "<a(c)@b>", "<a@b(c)>", '<"a@b>', '<"a"b@c>', '<a"b"@c>', '<"a\n"@b>', '<"\\"@b>', "<a@[b>", "<a@[]>", "<a@b]>",
    "<a,b@c>", "<a:b@c>", "<a;b@c>", "<a\\@b>", "<@r:>", "<@r,a@b>", "<@r.example a@b>", "<r:a@b>", "<@:a@b>",
    "Jane <a@b>", "<a@b>x", "<a@b>,<c@d>", "<a\x00@b>", "<a@b\x00>", "<a\r\n@b>", "<a@b>\r\n", "<a\x7f@b>", "<a@b\t>",
    "<" + "a" * 320 + "@b>",
)  # fmt: skip
PARAMETERS = {
    "": {},
    " SIZE=10": {"SIZE": "10"},
    " size=10 Body=8BITMIME SMTPUTF8": {"SIZE": "10", "BODY": "8BITMIME", "SMTPUTF8": None},
    "  A=1   B ": {"A": "1", "B": None},
    " X-1=<>@,;:": {"X-1": "<>@,;:"},
    " A=é": {"A": "é"},
    " A=": None,
    " =1": None,
    " A=1=2": None,
    " A=\x01": None,
    " A\tB": None,
    " A=1\x0bB": None,
    " A=1\x85B": {"A": "1\x85B"},  # over 127: UTF-8 in a value (RFC 6531 3.3), no separator
    " -A=1": None,
    " É=1": None,
    "A=1": None,
    "\tA=1": None,
}


@pytest.mark.parametrize("text", [text for text, parts in TAKEN.items() if parts])
def test_a_mailbox_is_read(text: str) -> None:
    for read, keyword in ((reverse_path, "FROM:"), (forward_path, "to: ")):
        found = read(keyword + text)
        assert found is not None
        assert (found.local_part, found.domain) == TAKEN[text]
        assert found.address == "@".join(TAKEN[text] or ())


@pytest.mark.parametrize("text", [*REFUSED, "<a@_dmarc.x-y.example>"])
def test_what_is_no_mailbox_is_none(text: str) -> None:
    assert reverse_path("FROM:" + text) is None
    assert forward_path("TO:" + text) is None


@pytest.mark.parametrize("read", [reverse_path, forward_path])
@pytest.mark.parametrize("text", ["<a@b>", "FORM:<a@b>", "FROM<a@b>", "", "FROM:", "TO", "TO:"])
def test_the_keyword_is_needed(read: Callable[[str], Path | None], text: str) -> None:
    assert read(text) is None


def test_the_null_path_is_for_senders() -> None:
    assert reverse_path("FROM:<>") == Path("", "")
    assert forward_path("TO:<>") is None


def test_the_bare_postmaster_is_for_recipients() -> None:
    assert forward_path("TO:<PostMaster>") == Path("PostMaster", "")
    assert reverse_path("FROM:<postmaster>") is None
    assert forward_path("TO:<postmasters>") is None


@pytest.mark.parametrize("text", PARAMETERS)
@pytest.mark.parametrize("mailbox", ["<>", "<a@b>"])
def test_parameters(mailbox: str, text: str) -> None:
    wanted = PARAMETERS[text]
    found = reverse_path(f"FROM:{mailbox}{text}")
    assert (found and found.parameters) == wanted
    if mailbox != "<>":
        assert forward_path(f"TO:{mailbox}{text}") == found
    assert (forward_path(f"TO:<postmaster>{text}") is None) is (wanted is None)


HOSTILE = st.text(st.sampled_from('<>@.,:;"\\[]()ab-_ =\x00\r\n\té\U0001f600'), max_size=40) | st.text(max_size=20)


@given(st.sampled_from(["FROM:", "TO:", ""]), HOSTILE, HOSTILE)
@example("TO:", "<postmaster", ">")
def test_nothing_raises_and_what_is_taken_reads_the_same_again(keyword: str, before: str, behind: str) -> None:
    for read, own in ((reverse_path, "FROM:"), (forward_path, "TO:")):
        found = read(keyword + before + behind)
        if found is None:
            continue
        words = [name if value is None else f"{name}={value}" for name, value in found.parameters.items()]
        again = " ".join([f"{own}<{found.address}>", *words])
        assert read(again) == found
        assert not re.search(r"[\x00-\x1f\x7f]", found.address)


@given(HOSTILE)
def test_two_readers_of_one_path_see_the_same_address(text: str) -> None:
    found = forward_path("TO:<" + text + ">")
    if found and found.domain:
        assert text.endswith(f"{found.local_part}@{found.domain}")


@pytest.mark.parametrize(
    ("leaves_out", "ascii_letters"),
    [
        ("_ATEXT", "A-Za-z0-9!#$%&'*+\\-/=?^_`{|}~"),  # RFC 5322 3.2.3
        ("_QTEXT", r" !#-\[\]-~"),  # RFC 5321 4.1.2
        ("_LETTER", "A-Za-z0-9"),
        ("_INNER", r"A-Za-z0-9_\-"),
    ],
)
def test_a_class_is_what_the_grammar_says_and_all_beyond_ascii(leaves_out: str, ascii_letters: str) -> None:
    """RFC 6531 3.3."""
    ours, theirs = re.compile(getattr(path, leaves_out)), re.compile(f"[{ascii_letters}]")
    for number in (*range(0x300), 0x2028, 0xD800, 0xFFFF, 0x10000, 0x10FFFF):
        assert bool(ours.fullmatch(chr(number))) is (number > 0x7F or bool(theirs.fullmatch(chr(number)))), hex(number)


# Regular expressions can be exponential. Steps are counted, not seconds.

SHAPES = {
    "atoms": lambda n: "<" + "a" * n,
    "dots": lambda n: "<" + "a." * (n // 2),
    "dotted atoms and no end": lambda n: "<" + "aa." * (n // 3) + "a@",
    "quoted": lambda n: '<"' + "a" * n,
    "escapes": lambda n: '<"' + "\\a" * (n // 2),
    "hyphens": lambda n: "<a@a" + "-" * n,
    "one label": lambda n: "<a@" + "a" * n,
    "labels": lambda n: "<a@" + "a." * (n // 2),
    "labels of hyphens": lambda n: "<a@" + "a--a." * (n // 5),
    "literal": lambda n: "<a@[" + "a" * n,
    "routes": lambda n: "<" + "@a," * (n // 3),
    "a route and its mailbox": lambda n: "<@a" + ",@a.a" * (n // 5) + ":a@" + "a." * 9,
    "parameter": lambda n: "A" * n + "=" + "A" * n + " ",
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("pattern", ["_PATH", "_PARAMETER"])
def test_hostile_text_costs_in_proportion_to_its_length(pattern: str, name: str) -> None:
    expression = getattr(path, pattern).pattern
    short, long = (steps(expression, SHAPES[name](n)) for n in (40, 80))
    assert long <= 2.6 * short + 60


def test_the_counting_sees_what_is_not_linear() -> None:
    assert steps(r"(?:a*)*b", "a" * 12) > 8 * steps(r"(?:a*)*b", "a" * 6)
    assert steps(r"a*a*b", "a" * 80) > 3 * steps(r"a*a*b", "a" * 40)
    assert steps(r"a*b", "a" * 80) <= 2.1 * steps(r"a*b", "a" * 40)


def steps(expression: str, text: str) -> int:
    """How often a backtracking matcher looks at a character before it says yes or no."""
    tree = re._parser.parse(expression)  # type: ignore[attr-defined]
    counted = [0]
    next(_ends(list(tree), text, 0, counted), None)
    return counted[0]


def _ends(nodes: list[Any], text: str, at: int, counted: list[int]) -> Iterator[int]:
    """Where these nodes of re's tree can end, in the order in which re tries them."""
    if not nodes:
        yield at
        return
    (operation, argument), rest = nodes[0], nodes[1:]
    for end in _one(str(operation), argument, text, at, counted):
        yield from _ends(rest, text, end, counted)


def _one(operation: str, argument: Any, text: str, at: int, counted: list[int]) -> Iterator[int]:
    if operation in ("LITERAL", "IN"):
        counted[0] += 1
        if at < len(text) and _holds(operation, argument, ord(text[at])):
            yield at + 1
    elif operation == "SUBPATTERN":
        yield from _ends(list(argument[-1]), text, at, counted)
    elif operation == "BRANCH":
        for branch in argument[1]:
            yield from _ends(list(branch), text, at, counted)
    elif operation == "MAX_REPEAT":
        yield from _repeated(*argument, text, at, counted)
    else:
        raise NotImplementedError(operation)


def _repeated(least: int, most: Any, item: Any, text: str, at: int, counted: list[int]) -> Iterator[int]:
    if most:
        for end in _ends(list(item), text, at, counted):
            if end > at:
                yield from _repeated(
                    max(0, least - 1), most - 1 if int(most) < 2**31 else most, item, text, end, counted
                )
    if not least:
        yield at


def _holds(operation: str, argument: Any, character: int) -> bool:
    if operation == "LITERAL":
        return bool(argument == character)
    negated = str(argument[0][0]) == "NEGATE"
    named = any(
        kind == character if str(name) == "LITERAL" else kind[0] <= character <= kind[1]
        for name, kind in argument[negated:]
    )
    return named is not negated
