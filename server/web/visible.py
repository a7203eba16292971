"""Text out of mail, made harmless to look at: what can't be seen, or moves what can, is shown as a sign."""

import re
import unicodedata
from datetime import datetime
from typing import Any

from markupsafe import Markup

# what is no printable text; tab and line end are layout, and the two joiners belong to Persian and to emojis
_SUSPECT = re.compile(r"[^\t\n\x20-\x7e]")
_HARMLESS = "\u200c\u200d"
_MARKED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ACCENT = r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_ACCENTS = re.compile(f"({_ACCENT}{{3}}){_ACCENT}+")


def visible(value: Any) -> Any:
    """For every value that a template prints: None is nothing, text is made visible, markup of ours stays.

    Control characters and other invisible ones (bidi controls, zero-width, unassigned) become their number, ⟨U+202E⟩;
    a heap of accents is cut to three, because it would reach into the lines around it.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _ACCENTS.sub(r"\1", _SUSPECT.sub(_shown, value.replace("\r\n", "\n")))


def short(text: str | None, length: int = 120) -> str:
    """At most so many characters, with an ellipsis where some are left out."""
    text = text or ""
    return text if len(text) <= length else text[: length - 1] + "…"


def moment(iso: str | None) -> str:
    """2026-03-04T05:06:07.890123+00:00 -> 2026-03-04 05:06:07"""
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M:%S") if iso else ""


def octets(number: int) -> str:
    """1536 -> 1.5 KiB"""
    size = float(number)
    for unit in ("octets", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "octets" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    if character in _HARMLESS or unicodedata.category(character) not in _MARKED:
        return character
    return f"⟨U+{ord(character):04X}⟩"
