"""Which of the addresses in a text notice are those that it is about."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from handlers.parse import addresses, phrases
from handlers.parse.notice import Notice

_BULLET = re.compile(r"[\s>*\u2022\u00b7\u2013<'\"(\[\u300c\u3010\u25cb\u25cf\u25a0=+-]*\Z")
_CODE_BEFORE = re.compile(r"[\s>]*(?:<<<\s*)?[245]\d\d[ -](?:[245]\.\d{1,3}\.\d{1,3}[ -])?[\s<]*\Z")
_ROLES = frozenset(
    {"postmaster", "mailer-daemon", "abuse", "support", "helpdesk", "help", "hostmaster", "webmaster"}
    | {"noreply", "no-reply", "admin", "administrator", "info"}
)
_COMMANDS = ("-ctl", "-request", "-owner", "-admin", "-help", "-bounces", "-subscribe", "-unsubscribe", "-leave")
CONTEXT = 160  # characters before an address that tell what it is


class Lead(NamedTuple):
    """An address and how much speaks for it."""

    start: int
    end: int
    address: str
    rank: int  # 3 leads a line, 2 stands after a word like "To:", 1 is merely there
    line: int  # where its line starts


@cache
def _words(section: str) -> frozenset[str]:
    return frozenset(phrases.fold(word) for word in phrases.table("labels")[section]["phrases"])


@cache
def _weak_endings() -> tuple[str, ...]:
    return tuple(f" {word}" for word in _words("weak"))


@cache
def _either(section: str) -> re.Pattern[str]:
    words = sorted(_words(section), key=len, reverse=True)
    return re.compile(
        r"\b(?:" + "|".join(re.escape(word) for word in words) + (r")(?!\w)" if section == "from" else ")")
    )


def find(notice: Notice) -> list[Lead]:
    """The best-ranked addresses of the notice's own text."""
    text = notice.text
    others = _not_failed(notice)
    ranked: list[Lead] = []
    for start, end, address in _named(notice):
        line = text.rfind("\n", max(0, start - CONTEXT), start) + 1
        rank = _rank(text[max(line, start - CONTEXT) : start])
        if rank and _local(address).endswith(_COMMANDS):
            rank = 1  # a list's addresses for commands
        if rank and rank < 3 and address.lower() in others:
            continue
        if rank == 3 and (_after_sender(text, line) or address.lower() in others - notice.to_addresses):
            continue
        if rank and not (ranked and _is_cut(text, start, end, ranked[-1].address)):
            ranked.append(Lead(start, end, address, rank, line))
    return best(ranked, notice)


def _is_cut(text: str, start: int, end: int, before: str) -> bool:
    """ "<jo@dest.ex": the one before without its end, where a reply is printed to a limit (Exim's delays)."""
    open_ = text[start - 1 : start] == "<" and text[end : end + 1] != ">"
    return open_ and len(before) > end - start and before.startswith(text[start:end])


def _named(notice: Notice) -> Iterator[tuple[int, int, str]]:
    """The addresses, without those that are but the display name of one in angle brackets: "jo@a.test <jo@b.test>"."""
    name = None
    for start, end, address in notice.addresses:
        if name is not None and notice.text[name[1] : start].strip(" \t\"'") == "<":
            yield name[0], end, address
            name = None
            continue
        if name is not None:
            yield name
        name = start, end, address
    if name is not None:
        yield name


def best(ranked: list[Lead], notice: Notice) -> list[Lead]:
    """Those of the highest rank; an address of a role, or our own, only where no other is."""
    for rank in (3, 2, 1):
        chosen = [lead for lead in ranked if lead.rank == rank]
        foreign = [lead for lead in chosen if lead.address.lower() not in notice.own_addresses]
        people = [lead for lead in foreign if not _is_role(_local(lead.address))]
        if people or foreign or (chosen and rank == 3):
            return people or foreign or chosen
    return []


def _local(address: str) -> str:
    return address.partition("@")[0].lower()


def _is_role(local: str) -> bool:
    return local in _ROLES or local.endswith(_COMMANDS)


def _not_failed(notice: Notice) -> frozenset[str]:
    """Senders: the notice's own addresses and the original's From."""
    original = notice.original
    sender = addresses.unique(original.from_, 4) if original and original.from_ else ()
    return notice.own_addresses | {a.lower() for a in sender}


def _rank(before: str) -> int:
    """How much the words before an address on its line speak for it; 0 where they speak against it."""
    if _BULLET.match(before) or _CODE_BEFORE.match(before):
        return 3
    label = phrases.fold(before).rstrip(" <\"'[(")
    if label.endswith((":", "：", "=")):
        word = label.rstrip(":：= ").rpartition(">>>")[2].strip(" *-#")
        if word in _words("recipient"):
            return 3
        if word in _words("weak"):
            return 2
    if _either("not").search(label):
        return 0
    if f" {label}".endswith(_weak_endings()):
        return 2
    return 0 if _either("from").search(label) else 1


def _after_sender(text: str, line: int) -> bool:
    """The line before says that a sender or a contact follows."""
    above = phrases.fold(text[max(0, line - CONTEXT) : line].rstrip().rpartition("\n")[2]).rstrip(": ")
    return above.endswith(tuple(_words("not")))
