"""Bytes to text, whatever the charset label says.

Order: the declared charset, UTF-8, then a guess (charset-normalizer); guesses on under 100 bytes are weak, so
short text falls back to Windows-1252 instead, which is total but for five octets.
"""

import codecs

GUESS_FROM = 100  # octets; below this a guess is worth nothing
GUESS_BYTES = 2048  # enough to tell charsets apart, and quick

# Labels that promise less than what senders put in: the superset reads both.
_SUPERSET = {
    "ascii": "",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_ext",
}
_ALIAS = {
    "x-sjis": "cp932",
    "shift-jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "x-gbk": "gb18030",
    "x-euc-jp": "euc_jp",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-windows-949": "cp949",
}
# Python codecs that are no character sets of mail.
_NOT_TEXT = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"})


def codec_name(label: str | None) -> str:
    """Python's codec for a charset label; "" where there is none that may be used."""
    if not label or len(label) > 40:
        return ""
    label = label.strip("\"' ").lower()
    try:
        name = codecs.lookup(_ALIAS.get(label, label)).name
        if name.replace("-", "_") in _NOT_TEXT:
            return ""
        b"x".decode(name, "replace")  # raises for what turns no octets into text, as zlib
    except (LookupError, ValueError):
        return ""
    return _SUPERSET.get(name, name)


def decode(data: bytes, label: str | None = None) -> tuple[str, bool]:
    """Text of `data`, and whether the charset was guessed. Never raises; octets without meaning become U+FFFD."""
    if data.isascii() and b"\x1b$" not in data and b"\x1b(" not in data:
        return _ascii(data, label), False
    name = codec_name(label)
    if data.isascii() and not name.startswith(("iso2022", "utf-7", "hz")):
        name = "iso2022_jp_ext"
    if not name.startswith(("cp1252", "iso8859")):
        text = _strict(data, name)
        if text is not None:
            return text, False
    text = _strict(data, "utf-8")  # a single-byte charset never fails: valid UTF-8 is likelier
    if text is not None:
        return text, False
    text = _strict(data, name)
    if text is not None:
        return text, False
    return _guess(data, name), True


def _ascii(data: bytes, label: str | None) -> str:
    if label and label.strip("\"' ").lower() in {"utf-7", "hz-gb-2312"}:
        text = _strict(data, codec_name(label))
        if text is not None:
            return text
    return data.decode("ascii")


def _strict(data: bytes, name: str) -> str | None:
    if not name:
        return None
    try:
        if name == "utf-8":  # data may be cut within a character
            return codecs.utf_8_decode(data, "strict", False)[0]
        text = data.decode(name)
    except (ValueError, LookupError):
        return None
    return text if isinstance(text, str) and not _has_surrogate(text) else None


def _has_surrogate(text: str) -> bool:
    """UTF-7 and UTF-16 can spell half a pair, which no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _guess(data: bytes, declared: str) -> str:
    if declared and not declared.startswith("ascii"):
        text = data.decode(declared, "replace")
        if not _has_surrogate(text) and text.count("\ufffd") * 20 < len(text):
            return text
    if len(data) >= GUESS_FROM:
        from charset_normalizer import from_bytes  # slow to import, seldom needed

        best = from_bytes(data[:GUESS_BYTES], steps=3, chunk_size=256).best()
        name = codec_name(best.encoding) if best else ""
        if name:
            text = data.decode(name, "replace")
            if not _has_surrogate(text):
                return text
    return data.decode("cp1252", "replace")
