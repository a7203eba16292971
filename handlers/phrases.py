"""The pattern language of the rule tables: regular expressions of a small subset that cannot be made slow.

Literals, `(a|b)`, `x?`, `[abc]`, `\\d`, `\\w`, `\\S`, and `{m,n}` after one of these or a dot (a dot alone is a dot);
`(the |your ){0,3}` for words that may stand there, `... ` for a few words or none; `^` and `$` for the start and the
end of the text. A pattern matches whole words of folded text; one that begins with a dot also the end of a host
name. There is no `*`, no `+` and no repeat inside a repeat: what one start costs is bounded and counted, and
the words that a text must hold to be worth a try are known.
"""

import math
import re
from dataclasses import dataclass
from functools import cache

from handlers.folding import fold_literal

MAX_GAP = 80
MAX_FILLERS = 4
MAX_CLASS = 10  # a class of more characters counts as a gap
MAX_STEPS = 10_000  # product of the repeats of one alternative
MAX_FORMS = 1200
GAP = "\0"
ELLIPSIS = "... "
_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"}


class BadPattern(ValueError):
    """A pattern outside of the subset; the text says what to write instead."""


# a space at an end, dots for words that nothing follows, a mark that is a second space once folded
_NEVER = re.compile(r"^\^? | \$?$|\.\.\.\$?$| [-_/=#&+~%] ")
UNSPACED = re.compile("[\u2e80-\uffff]")  # scripts that part no words
Segment = tuple[frozenset[str], ...]  # for each literal form of a piece, the whole words it is made of


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled pattern."""

    source: str  # as written
    regex: str  # over folded text
    # for each alternative the pieces whose words can be told: a text that matches has one form of every piece
    branches: tuple[tuple[Segment, ...], ...]
    whole_words: bool  # False for scripts that part no words: these match inside a run of characters
    steps: int  # how many ways one start can be tried at most


@dataclass(slots=True)
class _Reader:
    source: str
    at: int = 0

    def peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def take(self) -> str:
        char = self.peek()
        self.at += 1
        return char


@dataclass(frozen=True, slots=True)
class _Node:
    """A piece: its expression, and every literal form of it, GAP where anything may stand."""

    regex: str
    strings: tuple[str, ...]
    steps: int = 1


_Branch = list[_Node]


@cache
def compile_pattern(source: str) -> Pattern:
    """Reads `source`. Raises BadPattern where it leaves the subset."""
    if _NEVER.search(source):
        raise BadPattern("it can never match: words have one space between, and neither marks nor spaces at the ends")
    start, end, host = source.startswith("^"), source.endswith("$"), source.startswith(".")
    reader = _Reader(source.removeprefix("^").removesuffix("$").removeprefix("."))
    branches = _alternatives(reader)
    if reader.peek():
        raise BadPattern(f"')' without '(' at {reader.at}")
    spaced = not UNSPACED.search(source)
    segments = tuple(_segments(branch) for branch in branches)
    if spaced and not all(segments):
        raise BadPattern("no whole word is sure to be in it; begin and end words with a space")
    if not spaced and not all(UNSPACED.search(form) for branch in branches for form in _strings(branch)):
        raise BadPattern("a form of it is in Latin letters alone, which part words; write that as its own pattern")
    steps = max(_steps(branch) for branch in branches)
    if steps > MAX_STEPS:
        raise BadPattern(f"its repeats multiply to {steps} ways, more than {MAX_STEPS}; use fewer or smaller gaps")
    regex = f"(?:{_regex(branches)})"
    if spaced:
        regex = r"\A" * start + " " + r"(?:\S{0,60}\.)?" * host + regex + "(?= )" + r" \Z" * end
    return Pattern(source, regex, segments, spaced, steps)


def _alternatives(reader: _Reader) -> list[_Branch]:
    branches = [_branch(reader)]
    while reader.peek() == "|":
        reader.take()
        branches.append(_branch(reader))
    return branches


def _branch(reader: _Reader) -> _Branch:
    pieces = []
    while reader.peek() not in ("", "|", ")"):
        pieces.append(_ellipsis(reader) or _quantified(reader, _atom(reader)))
    return pieces


def _regex(branches: list[_Branch]) -> str:
    return "|".join("".join(piece.regex for piece in branch) for branch in branches)


def _steps(branch: _Branch) -> int:
    return math.prod(piece.steps for piece in branch)


def _strings(pieces: _Branch) -> tuple[str, ...]:
    """Every literal form of `pieces` in a row."""
    strings: tuple[str, ...] = ("",)
    for piece in pieces:
        strings = tuple(dict.fromkeys(a + b for a in strings for b in piece.strings))
        if len(strings) > MAX_FORMS:
            raise BadPattern(f"a group with more than {MAX_FORMS} forms; split the pattern")
    return strings


def _segments(branch: _Branch) -> tuple[Segment, ...]:
    """The pieces of `branch` that begin and end with whole words, each with the words of its forms."""
    runs: list[_Branch] = [[]]
    for number, piece in enumerate(branch):
        if _ends_word(branch[:number]) or _begins_word(branch[number:]):
            runs.append([])
        runs[-1].append(piece)
    found = []
    for run in runs:
        try:
            segment = tuple(map(_whole_words, _strings(run)))
        except BadPattern:
            continue  # too many forms to be of use for the search
        if all(segment):
            found.append(segment)
    return tuple(found)


def _whole_words(string: str) -> frozenset[str]:
    return frozenset(word for word in re.findall(r"[\w.\0]+", string) if GAP not in word)


def _ends_word(pieces: _Branch) -> bool:
    """Whether what stands before always ends between two words (so does the start of a pattern)."""
    for piece in reversed(pieces):
        if any(string and _is_word(string[-1]) for string in piece.strings):
            return False
        if "" not in piece.strings:
            return True
    return True


def _begins_word(pieces: _Branch) -> bool:
    for piece in pieces:
        if any(string and _is_word(string[0]) for string in piece.strings):
            return False
        if "" not in piece.strings:
            return True
    return True


def _is_word(char: str) -> bool:
    return char in {GAP, "."} or char.isalnum()


def _ellipsis(reader: _Reader) -> _Node | None:
    """`... ` is some words, or none."""
    if not reader.source.startswith(ELLIPSIS, reader.at):
        return None
    reader.at += len(ELLIPSIS)
    return _Node("(?:.{0,40}? )?", ("", f"{GAP} "), 41)


_RUN = re.compile(r"[a-z0-9 ]+(?![?{])")


def _atom(reader: _Reader) -> _Node:
    run = _RUN.match(reader.source, reader.at)
    if run:
        reader.at = run.end()
        return _Node(run[0], (run[0],))
    char = reader.take()
    if char == "(":
        return _group(reader)
    if char == "[":
        return _class(reader)
    if char == "\\":
        return _escape(reader)
    if char == "." and reader.peek() == "{":
        return _Node(".", (GAP,))
    if char in "*+?{}^$]":
        raise BadPattern(f"{char!r} at {reader.at - 1} is outside of the subset; a gap is written .{{0,40}}")
    return _literal(char)


def _literal(char: str) -> _Node:
    lower = char.lower()
    if lower in _UMLAUTS:
        base, tail = _UMLAUTS[lower][0], _UMLAUTS[lower][1]
        return _Node(f"(?:{base}{tail}?| )", (base, base + tail, " "))
    folded = fold_literal(lower)
    if not char.isascii() and folded.isascii() and folded.isalpha():  # a lost accent leaves a hole
        return _Node(f"(?:{folded}| )", (folded, " "))
    return _Node(re.escape(folded) if folded != " " else " ", (folded,))


def _group(reader: _Reader) -> _Node:
    if reader.source.startswith("?:", reader.at):
        reader.at += 2
    elif reader.peek() == "?":
        raise BadPattern("lookaround and named groups are outside of the subset")
    inner = _alternatives(reader)
    if reader.take() != ")":
        raise BadPattern("'(' is not closed")
    strings = tuple(dict.fromkeys(string for branch in inner for string in _strings(branch)))
    return _Node(f"(?:{_regex(inner)})", strings, max(map(_steps, inner)))


_RANGE = re.compile(r"(\w)-(\w)")


def _class(reader: _Reader) -> _Node:
    end = reader.source.find("]", reader.at)
    body = reader.source[reader.at : end].lower()
    if end < 0 or not body or "^" in body or "\\" in body or "[" in body:
        raise BadPattern("a character class is written [abc] or [0-9], without ^ and \\")
    reader.at = end + 1
    chars = "".join(_RANGE.sub(lambda r: "".join(map(chr, range(ord(r[1]), ord(r[2]) + 1))), body))
    strings = tuple(dict.fromkeys(map(fold_literal, chars))) if len(chars) <= MAX_CLASS else (GAP,)
    return _Node(f"[{body}]" if strings == (GAP,) else f"[{''.join(strings)}]", strings)


def _escape(reader: _Reader) -> _Node:
    char = reader.take()
    if char and char in "dwS":
        return _Node("\\" + char, (GAP,))
    if not char or char.isalnum():
        raise BadPattern(f"\\{char} is outside of the subset; only \\d, \\w, \\S and escaped marks are known")
    return _literal(char)


_COUNT = re.compile(r"\{(\d{1,3})(?:,(\d{1,3}))?\}")


def _quantified(reader: _Reader, atom: _Node) -> _Node:
    if reader.peek() == "?":
        reader.take()
        bare = len(atom.regex) == 1 or atom.regex[0] == "[" or atom.regex.startswith("(?:")
        return _Node((atom.regex if bare else f"(?:{atom.regex})") + "?", (*atom.strings, ""), atom.steps)
    if reader.peek() != "{":
        return atom
    found = _COUNT.match(reader.source, reader.at)
    if not found:
        raise BadPattern(f"'{{' at {reader.at}: a repeat is written {{m,n}}")
    reader.at = found.end()
    low, high = int(found[1]), int(found[2] or found[1])
    if not low <= high <= MAX_GAP:
        raise BadPattern(f"{found[0]}: a repeat goes up to {MAX_GAP}, lower number first")
    if atom.regex.startswith("(?:"):
        return _fillers(atom, found[0], low, high)
    if atom.strings != (GAP,):
        raise BadPattern("{m,n} may only follow '.', '\\d', '\\w', '\\S', a range or a group of words")
    return _Node(atom.regex + found[0] + "?" * (low < high), (GAP,), high - low + 1)


def _fillers(group: _Node, count: str, low: int, high: int) -> _Node:
    """`(the |your ){0,3}`: words that may stand there, each with its space."""
    if low or high > MAX_FILLERS or any(GAP in s or not s.endswith(" ") for s in group.strings):
        raise BadPattern(f"{count}: a group repeats up to {{0,{MAX_FILLERS}}}, and each of its words ends with a space")
    return _Node(group.regex + count, ("", f"{GAP} "), high + 1)
