"""What one rule is: words and conditions on one side, a reason on the other."""

from dataclasses import dataclass
from typing import Any

from handlers.phrases import Pattern
from handlers.words import Reason

CONDITIONS = {"status", "code", "provider", "phase", "weak", "names_address", "own"}  # besides the words of a rule
# The steps of the SMTP dialogue that may be refused; "unknown" where the notice tells none.
PHASES = ("connect", "helo", "mail", "rcpt", "data", "end", "unknown")


@dataclass(frozen=True, slots=True)
class Example:
    """A reply as a server would send it, and what else the report says of it."""

    text: str
    remote_mta: str | None = None
    status: str | None = None
    phase: str | None = None
    reporting_mta: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a table. A condition that is empty or None always holds."""

    id: str
    reason: Reason
    example: Example
    table: str = ""
    patterns: tuple[Pattern, ...] = ()  # one must match
    squeezed: tuple[str, ...] = ()  # or one of these stands in an X-Notes diagnostic without its spaces
    status: tuple[str, ...] = ()  # "5.1.1", or "x.1.1" for both classes, "none"; ranges are written out
    codes: tuple[str, ...] = ()  # "550", "4xx"
    provider: str | None = None
    phases: tuple[str, ...] = ()
    permanent: bool | None = None  # None: as the status or the reply code says
    weak: bool = False  # only about a reply: a notice's own words may say it of anything
    names_address: bool | None = None  # whether the reply prints an address
    own: bool = False  # only where the notice comes from the recipient's own domain
    counter_examples: tuple[Example, ...] = ()
    source: str = ""
    note: str = ""
    conditional: bool = False  # it has conditions besides its words


@dataclass(frozen=True, slots=True)
class Provider:
    """Who answers: suffixes of its hosts, or a word that its replies end with."""

    name: str
    hosts: tuple[str, ...]
    marks: tuple[str, ...] = ()


def as_list(value: Any) -> list[Any]:
    """One value or a list of them, as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def strings(value: Any) -> bool:
    """Whether `value` is a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, str) or strings(value)


def _codes(value: Any) -> bool:
    return all(isinstance(item, int | str) for item in as_list(value))


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _permanence(value: Any) -> bool:
    return value in ("permanent", "temporary")


def _is_example(value: Any) -> bool:
    parts = {"text", "status", "remote_mta", "phase", "reporting_mta"}
    is_table = isinstance(value, dict) and "text" in value and value.keys() <= parts
    return isinstance(value, str) or (is_table and all(isinstance(part, str) for part in value.values()))


def _are_examples(value: Any) -> bool:
    return all(map(_is_example, as_list(value)))


_EXAMPLE = "a reply as text, or a table with text and any of status, remote_mta, phase, reporting_mta"
# field -> whether a value will do, and what to write instead
FIELDS = {
    "id": (_text, "a name"),
    "reason": (_text, "a reason"),
    "match": (_texts, "a pattern, or a list of them"),
    "squeezed": (_texts, "a text without spaces, or a list of them"),
    "status": (_texts, "a status, or a list of them"),
    "code": (_codes, "a reply code, or a list of them"),
    "provider": (_text, "the name of a provider"),
    "phase": (_texts, "a phase, or a list of them"),
    "permanence": (_permanence, "'permanent' or 'temporary', or leave it out"),
    "weak": (_flag, "true or false"),
    "names_address": (_flag, "true or false"),
    "own": (_flag, "true or false"),
    "example": (_is_example, _EXAMPLE),
    "counter_example": (_are_examples, _EXAMPLE + ", or a list of them"),
    "source": (_text, "text"),
    "note": (_text, "text"),
}
