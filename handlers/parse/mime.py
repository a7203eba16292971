"""Bytes to leaves: a thin MIME splitter (RFC 2045, 2046) that no input makes slow, deep or loud.

It never looks inside message/rfc822: a report that somebody forwards is no report of ours.
"""

import binascii
import re

from handlers.parse.charset import decode
from handlers.parse.headers import BLOCK_BYTES, Headers, split_block, unfold
from handlers.parse.lazy import lazy

MAIL_BYTES = 16 * 1024 * 1024  # read of one mail; what lies behind is kept raw and not parsed
DEPTH = 100  # Python's own parser dies at about 1000; nobody nests 10
PARTS = 1000
TEXT_BYTES = 64 * 1024  # decoded of one text leaf; notices are short

_PARAMETER = re.compile(r';\s*([a-zA-Z-]{1,30})(?:\*0?\*?)?\s*=\s*(?:"([^"]{0,300})"?|([^\s;"]{1,300}))')


class Part:
    """One node of the tree. `parts` is empty for a leaf; `body` is a leaf's octets, still encoded."""

    def __init__(self, headers: Headers, body: bytes, default: str = "text/plain") -> None:
        self.headers = headers
        self.body = body
        self.parts: list[Part] = []
        value = headers.get("content-type", "")
        self.type = value.partition(";")[0].strip().strip('"').lower() if value else default
        if "/" not in self.type:
            self.type = default

    @lazy
    def parameters(self) -> dict[str, str]:
        value = unfold(self.headers.get("content-type", ""))[:4096]
        found: dict[str, str] = {}
        for name, quoted, bare in _PARAMETER.findall(value):
            found.setdefault(name.lower(), quoted or bare)
        return found

    @lazy
    def filename(self) -> str:
        value = unfold(self.headers.get("content-disposition", ""))[:2048]
        for name, quoted, bare in _PARAMETER.findall(value):
            if name.lower() == "filename":
                return str(quoted or bare)
        return self.parameters.get("name", "")

    def octets(self, most: int = MAIL_BYTES) -> bytes:
        """The body without its Content-Transfer-Encoding (RFC 2045 6); a broken encoding gives what it can."""
        encoding = self.headers.get("content-transfer-encoding", "").strip().lower()
        if encoding == "quoted-printable":
            return binascii.a2b_qp(self.body[: 3 * most])[:most].replace(b"\r\n", b"\n")
        if encoding == "base64":
            return _base64(self.body[: 2 * most])[:most].replace(b"\r\n", b"\n")
        return self.body[:most]

    def text(self) -> tuple[str, bool]:
        """Decoded text of a leaf, and whether its charset was guessed."""
        return decode(self.octets(TEXT_BYTES), self.parameters.get("charset"))


class Mail:
    """A mail taken apart: the root, its leaves in order, and what was wrong with it."""

    def __init__(self, raw: bytes) -> None:
        self.faults: list[str] = []
        if len(raw) > MAIL_BYTES:
            self.faults.append("mail_truncated")
        data = raw[:MAIL_BYTES]
        data = data.replace(b"\r", b"") if b"\n" in data else data.replace(b"\r", b"\n")
        headers, body = cut_headers(data, self.faults)
        self.root = Part(headers, body)
        self.leaves: list[Part] = []
        self._walk(self.root, 0)
        self._types = {leaf.type for leaf in self.leaves}

    def leaf(self, *types: str) -> Part | None:
        """The first leaf of one of these types."""
        if self._types.isdisjoint(types):
            return None
        return next(leaf for leaf in self.leaves if leaf.type in types)

    def _walk(self, part: Part, depth: int) -> None:
        if not part.type.startswith("multipart/"):
            self.leaves.append(part)
            return
        if depth >= DEPTH:
            self._fault("too_deep")
            return
        for chunk in self._chunks(part):
            if len(self.leaves) >= PARTS:
                self._fault("too_many_parts")
                return
            child = Part(*_cut_part(chunk), default=_default_type(part))
            part.parts.append(child)
            self._walk(child, depth + 1)
        if not part.parts:  # declared multipart, but is none
            self._fault("no_parts")
            self.leaves.append(Part({}, part.body))

    def _chunks(self, part: Part) -> list[bytes]:
        boundary = part.parameters.get("boundary", "").encode("latin-1", "replace")
        if not boundary or b"--" + boundary not in part.body:
            boundary = _guessed_boundary(part.body)
            self._fault("no_boundary")
        if not boundary:
            return []
        chunks, closed = split_multipart(part.body, boundary)
        if not closed:
            self._fault("not_closed")
        return chunks

    def _fault(self, name: str) -> None:
        if name not in self.faults:
            self.faults.append(name)


def cut_headers(data: bytes, faults: list[str] | None = None) -> tuple[Headers, bytes]:
    """Header block and body; the first line may be an mbox "From " line, the empty line may be missing."""
    if data.startswith((b"From ", b">From ")):
        data = data.partition(b"\n")[2]
    data = data.lstrip(b"\n")
    end = data.find(b"\n\n", 0, BLOCK_BYTES + 2)
    if end < 0:
        end = _end_of_block(data)
        if faults is not None:
            faults.append("no_body_separator")
    return split_block(data[:end]), data[end:].lstrip(b"\n")


def _end_of_block(data: bytes) -> int:
    """Where a block without an empty line ends: at the first line that is no field."""
    position = 0
    while 0 <= position < min(len(data), BLOCK_BYTES):
        end = data.find(b"\n", position)
        line = data[position : end if end >= 0 else len(data)]
        name, colon, _ = line[:200].partition(b":")
        if not line[:1].isspace() and (not colon or b" " in name.strip()):
            return position
        position = end + 1 if end >= 0 else len(data)
    return min(len(data), BLOCK_BYTES)


def _cut_part(chunk: bytes) -> tuple[Headers, bytes]:
    """A body part may have no header at all (RFC 2046 5.1): then it starts with the empty line."""
    if chunk.startswith(b"\n"):
        return {}, chunk[1:]
    end = chunk.find(b"\n\n", 0, BLOCK_BYTES + 2)
    if end < 0:
        end = _end_of_block(chunk)
        return split_block(chunk[:end]), chunk[end:].lstrip(b"\n")
    first = chunk[: chunk.find(b"\n")]
    if b":" not in first and not first.isspace():
        return {}, chunk  # text without a header and without the empty line
    return split_block(chunk[:end]), chunk[end + 2 :]


def split_multipart(body: bytes, boundary: bytes) -> tuple[list[bytes], bool]:
    """The parts between delimiter lines (RFC 2046 5.1.1), and whether the close delimiter was seen."""
    delimiter = b"--" + boundary
    chunks: list[bytes] = []
    start, position, length = -1, 0, len(delimiter)
    while len(chunks) < PARTS:
        at = body.find(delimiter, position)
        if at < 0:
            break
        position = at + length
        if at and body[at - 1] != 10:
            continue
        line_end = body.find(b"\n", position)
        rest = body[position : line_end if line_end >= 0 else len(body)].strip()
        if rest and rest != b"--":
            continue  # a longer boundary that starts like ours
        if start >= 0:
            chunks.append(body[start : max(start, at - 1)])
        if rest == b"--":
            return chunks, True
        start = position = line_end + 1 if line_end >= 0 else len(body)
    if 0 <= start < len(body) and len(chunks) < PARTS:
        chunks.append(body[start:])
    return chunks, False


def _guessed_boundary(body: bytes) -> bytes:
    """The first line that looks like a delimiter and is followed by a header, where none is declared."""
    at = 0 if body.startswith(b"--") else body.find(b"\n--", 0, TEXT_BYTES) + 1
    if not body.startswith(b"--", at):
        return b""
    line, _, rest = body[at + 2 : at + 300].partition(b"\n")
    line = line.rstrip()
    return line if 0 < len(line) <= 200 and rest[:8].lower() == b"content-" else b""


def _default_type(part: Part) -> str:
    return "message/rfc822" if part.type == "multipart/digest" else "text/plain"


def _base64(data: bytes) -> bytes:
    """Lenient: foreign characters are skipped, a torn tail is completed."""
    for candidate in (data, data.translate(None, b" \t\n=") + b"==="):
        try:
            return binascii.a2b_base64(candidate)
        except binascii.Error:
            continue
    kept = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    try:
        return binascii.a2b_base64(kept[: len(kept) // 4 * 4])
    except binascii.Error:
        return data
