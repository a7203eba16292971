"""Folding: the form of a text that the patterns of the rule tables are written against.

Lower case, no accents, no quotes; words parted by one space, with a space in front and behind. A dot stays inside of a
word (host names), every other mark parts words. Addresses, reply codes and statuses are left out.
"""

import re
import unicodedata
from functools import lru_cache

MAX_TEXT = 4096  # longest reply that is looked at; RFC 5321 4.5.3.1.5 allows 512 octets a line

_GONE = "\"'`´‘’“”„«»"  # "doesn't" is "doesnt"
_PARTING = "<>()[]{}:;,!?*|\\\ufffd…·、。，：；！？（）「」【】"
_JOINING = "-_/=#&+~^$%‐‑–—"  # part words too, but not before addresses are found
_EDGES = str.maketrans({**dict.fromkeys(_GONE), **dict.fromkeys(_PARTING, " ")})
_MARKS = str.maketrans(dict.fromkeys(_JOINING, " "))
_ASCII_EDGES = bytes(32 if chr(i) in _PARTING else i for i in range(256))
_ASCII_MARKS = bytes(32 if chr(i) in _JOINING else i for i in range(256))
_ASCII_GONE = b"\"'`"
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "å": "a", "ł": "l", "đ": "d", "ı": "i", "œ": "oe"})
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_OCTAL = re.compile(r"\\[23][0-7]{2}")
# "550-5.1.1" stands on every line of a reply (RFC 5321 4.2.1, RFC 2034 4): the codes are read elsewhere
_is_status = re.compile(r"[245]\.\d{1,3}\.\d{1,3}").fullmatch
_is_code = re.compile(r"[245]\d\d").fullmatch


def fold(text: str) -> str:
    """At most MAX_TEXT characters of `text`, folded."""
    text = text[:MAX_TEXT].lower()
    if "\\" in text:
        text = _OCTAL.sub(" ", text)  # Exim writes an octet above 127 as \\344: a lost letter
    words = _words(_without_addresses(text))
    code = words[0] if words and _is_code(words[0]) else None
    words = [w.rstrip(".") if w[-1] == "." else w for w in words]  # the end of a sentence
    words = [w for w in words if w and w != code and not (w[0] in "245" and _is_status(w))]
    return f" {' '.join(words)} "


def words_of(folded: str) -> frozenset[str]:
    """The words of a folded text, and of a host name every domain above it."""
    words = set(folded.split())
    for word in [word for word in words if "." in word and len(word) <= 255]:  # RFC 1035 2.3.4
        while "." in word:
            word = word.partition(".")[2]
            words.add(word)
    return frozenset(words)


def _without_addresses(text: str) -> str:
    if not text.isascii():
        text = _FOREIGN.sub(lambda run: "".join(map(_fold_char, run[0].translate(_EDGES))), text)
    # mostly it is ASCII by now
    text = text.encode().translate(_ASCII_EDGES, _ASCII_GONE).decode() if text.isascii() else text.translate(_EDGES)
    # an address says nothing of the reason, and its words would
    return " ".join([word for word in text.split() if "@" not in word]) if "@" in text else text


def _words(text: str) -> list[str]:
    if text.isascii():
        return text.encode().translate(_ASCII_MARKS).decode().split()
    return text.translate(_MARKS).split()


def fold_literal(text: str) -> str:
    """As fold(), for a piece of a pattern: nothing is left out."""
    text = text.lower().translate(_EDGES).translate(_MARKS)
    return "".join(c if c < "\x80" else _fold_char(c) for c in text)


@lru_cache(maxsize=4096)
def _fold_char(char: str) -> str:
    if "\uac00" <= char <= "\ud7a3" or "\u3040" <= char <= "\u30ff":  # a composed syllable is no accent
        return char
    base = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    return base.translate(_LETTERS)
