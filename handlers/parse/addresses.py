"""Addresses printed in text, found in linear time: from each "@" outwards, never from each character."""

import re

_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,200}")  # of the reversed text
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\[[0-9A-Fa-f.:]{3,45}\]")
_WORD = re.compile(r"[^\s<>@,;:()\[\]\"]{1,200}")
_LABEL = re.compile(r"(?:(?:orig_|rcpt_)?to|rcpt|recipient|addr(?:ess)?|e?mail|user)=", re.IGNORECASE)  # of log lines
MOST = 64


def find(text: str, most: int = MOST) -> list[tuple[int, int, str]]:
    """(start, end, address) for each address in `text`, in order, repeated ones too, at most `most`."""
    out: list[tuple[int, int, str]] = []
    at = text.find("@")
    while at >= 0 and len(out) < most:
        found = _around(text, at)
        if found:
            out.append(found)
        at = text.find("@", max(at + 1, found[1] if found else 0))
    return out


def _around(text: str, at: int) -> tuple[int, int, str] | None:
    local = _LOCAL.match(text[max(0, at - 200) : at][::-1])
    domain = _DOMAIN.match(text, at + 1)
    start = at - local.end() if local else at
    end = domain.end() if domain else at
    bracket = text[max(0, start - 1) : start] == "<" and text[end : end + 1] == ">"
    if not bracket:
        international = _bracketed(text, at)
        if international:
            return international
    if not local or not domain:
        return None
    address = text[start:end]
    while address and address[0] in "'`.*=-":  # quotes and list bullets
        address, start = address[1:], start + 1
    label = _LABEL.match(address) if "=" in address and not bracket else None
    if label:
        address, start = address[label.end() :], start + label.end()
    address = address.rstrip("-")
    if address.startswith("@"):
        return None
    return start, end, address


def _bracketed(text: str, at: int) -> tuple[int, int, str] | None:
    """<address> with a quoted local part or with characters beyond ASCII (RFC 6531)."""
    start = text.rfind("<", max(0, at - 200), at)
    end = text.find(">", at, at + 256)
    if start < 0 or end < 0:
        return None
    address = text[start + 1 : end].removeprefix("mailto:")
    local, _, domain = address.rpartition("@")
    quoted = local.startswith('"') and local.endswith('"') and "\n" not in local
    if not _WORD.fullmatch(domain) or not (quoted or _WORD.fullmatch(local)):
        return None
    return start + 1, end, address


def unique(text: str, most: int = MOST) -> tuple[str, ...]:
    """The addresses of `text`, each once, in order."""
    return each_once(find(text, 4 * most), most) if "@" in text else ()


def each_once(found: list[tuple[int, int, str]], most: int = MOST) -> tuple[str, ...]:
    """Those of what find() gave that differ by more than case."""
    seen: dict[str, str] = {}
    for _, _, address in found:
        seen.setdefault(address.lower(), address)
    return tuple(seen.values())[:most]


def first(text: str) -> str | None:
    found = find(text, 1)
    return found[0][2] if found else None
