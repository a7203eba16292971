"""The argument of MAIL and RCPT: exactly RFC 5321 4.1.2, nothing of RFC 5322.

aiosmtpd reads these with the header parser of `email`, which accepts comments, encoded words and missing
brackets, and raises on some; a path that is read in two ways is a hole.
"""

import re
from dataclasses import dataclass, field

# RFC 5321 4.1.2: Mailbox = Local-part "@" ( Domain / address-literal ), with RFC 6531 3.3 for octets over 127.
# A source route is read and dropped (RFC 5321 4.1.1.3, appendix C). A final dot of the domain is let pass.
# Each class as what it leaves out of ASCII: ranges up to U+10FFFF took 35 ms to compile, at each start.
_ATEXT = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f]'
_QTEXT = r'[^\x00-\x1f"\\\x7f]'
_LETTER = r"[^\x00-/:-@\[-`{-\x7f]"  # or a digit
_INNER = r"[^\x00-,./:-@\[-^`{-\x7f]"  # and - and _
_LOCAL = rf'(?:{_ATEXT}+(?:\.{_ATEXT}+)*|"(?:{_QTEXT}|\\[ -~])*")'
_LABEL = rf"{_LETTER}(?:{_INNER}*{_LETTER})?"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Za-z:.\-]+\])"
_PATH = re.compile(rf"<(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?({_LOCAL})@({_DOMAIN})>")
_BARE_POSTMASTER = re.compile(r"<(postmaster)>", re.IGNORECASE)  # RFC 5321 4.1.1.3
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20=\x7f]+))?")

MAX_PATH_OCTETS = 320  # RFC 5321 4.5.3.1 has 256, with 64 for a local part: wrapped return paths (SRS) are longer


@dataclass(frozen=True, slots=True)
class Path:
    """A path and the parameters behind it. `local_part` and `domain` are as sent; both "" for the null path."""

    local_part: str
    domain: str
    parameters: dict[str, str | None] = field(default_factory=dict)  # keyword in capitals -> value

    @property
    def address(self) -> str:
        if not self.domain:
            return self.local_part
        return f"{self.local_part}@{self.domain}"


def reverse_path(argument: str) -> Path | None:
    """`FROM:<...> [parameters]` -> Path; None where it is not one. The null reverse path is address ""."""
    argument = _after_keyword(argument, "FROM:")
    if argument.startswith("<>"):
        return _with_parameters("", "", argument[2:])
    return _path(argument)


def forward_path(argument: str) -> Path | None:
    """`TO:<...> [parameters]` -> Path; None where it is not one. `<postmaster>` needs no domain."""
    argument = _after_keyword(argument, "TO:")
    bare = _BARE_POSTMASTER.match(argument)
    if bare:
        return _with_parameters(bare[1], "", argument[bare.end() :])
    return _path(argument)


def _after_keyword(argument: str, keyword: str) -> str:
    # a space after the colon is wrong (RFC 5321 3.3), but common
    return argument[len(keyword) :].lstrip(" ") if argument[: len(keyword)].upper() == keyword else ""


def _path(argument: str) -> Path | None:
    match = _PATH.match(argument)
    if not match or match.end() > MAX_PATH_OCTETS:
        return None
    return _with_parameters(match[1], match[2], argument[match.end() :])


def _with_parameters(local_part: str, domain: str, rest: str) -> Path | None:
    if not rest:
        return Path(local_part, domain)
    if rest[0] != " ":
        return None
    parameters: dict[str, str | None] = {}
    for word in filter(None, rest.split(" ")):  # no other white space parts them (RFC 5321 4.1.2)
        match = _PARAMETER.fullmatch(word)
        if not match:
            return None
        parameters[match[1].upper()] = match[2]
    return Path(local_part, domain, parameters)
