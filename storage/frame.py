"""One mail in the journal: how it is written and found again.

    4 octets   "BMX1"
    4 octets   length of the envelope
    4 octets   length of the mail
    4 octets   CRC-32 of position (8 octets), envelope and mail
    envelope   JSON, UTF-8
    mail       as received, our Received line first

All numbers are big-endian. The checksum covers the position, so that a frame counts only where it was written.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

from handlers.envelope import Envelope, Mail
from storage import jsontext

MAGIC = b"BMX1"
HEADER = struct.Struct(">4sIII")
_POSITION = struct.Struct(">Q")
MAX_ENVELOPE_OCTETS = 4 << 20  # 1000 recipients of 320 characters are 1.3 MB
MAX_MAIL_OCTETS = (1 << 30) + (64 << 10)  # the largest that can be allowed, and our Received field
_FIRST_OCTETS = 1 << 14  # most mails in one look
_SEARCH_OCTETS = 1 << 20
_CHECKED_OCTETS = 1 << 30  # a mail can be full of what looks like frames: a search checks no more than that


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was found whole. `end` is the position behind it."""

    position: int
    end: int
    mail: Mail


def encode(position: int, envelope: bytes, raw: bytes) -> bytes:
    """The header that stands before envelope and mail at this position. Raises ValueError for what read() refuses."""
    if len(envelope) > MAX_ENVELOPE_OCTETS or len(raw) > MAX_MAIL_OCTETS:
        raise ValueError(f"a frame of {len(envelope)} and {len(raw)} octets could not be read again")
    return HEADER.pack(MAGIC, len(envelope), len(raw), _checksum(position, envelope, raw))


def encode_envelope(envelope: Envelope) -> bytes:
    return jsontext.dumps(
        {
            "reverse_path": envelope.reverse_path,
            "forward_paths": envelope.forward_paths,
            "helo": envelope.helo,
            "client": envelope.client,
            "received_at": envelope.received_at.isoformat(),
            "protocol": envelope.protocol,
            "tls": envelope.tls,
        }
    ).encode("utf-8", "backslashreplace")


def decode_envelope(data: bytes) -> Envelope:
    fields = jsontext.loads(data)
    fields["forward_paths"] = tuple(fields["forward_paths"])
    fields["received_at"] = datetime.fromisoformat(fields["received_at"])
    return Envelope(**fields)


def read(fd: int, offset: int, position: int) -> Frame | None:
    """The frame at this offset of the file; None where none stands there whole."""
    start = os.pread(fd, _FIRST_OCTETS, offset)
    claim = _claim(start)
    return _checked(fd, offset, position, start, *claim) if claim else None


def _claim(start: bytes) -> tuple[int, int, int] | None:
    """What a header says: octets of envelope and mail, checksum. None where it can't be one."""
    if len(start) < HEADER.size:
        return None
    magic, envelope_octets, raw_octets, checksum = HEADER.unpack_from(start)
    if magic != MAGIC or envelope_octets > MAX_ENVELOPE_OCTETS or raw_octets > MAX_MAIL_OCTETS:
        return None
    return envelope_octets, raw_octets, checksum


def _checked(
    fd: int, offset: int, position: int, start: bytes, envelope_octets: int, raw_octets: int, checksum: int
) -> Frame | None:
    """`start`: what was read of it already."""
    size = HEADER.size + envelope_octets + raw_octets
    whole = start if len(start) >= size else os.pread(fd, size, offset)
    envelope, raw = whole[HEADER.size : HEADER.size + envelope_octets], whole[HEADER.size + envelope_octets : size]
    if len(whole) < size or _checksum(position, envelope, raw) != checksum:
        return None
    return Frame(position, position + size, Mail(position, decode_envelope(envelope), raw))


def search(fd: int, offset: int, position: int) -> Frame | None:
    """The next whole frame at or behind this offset: what damage in the middle of a file leaves."""
    size = os.fstat(fd).st_size
    checked = 0
    for found in _occurrences(fd, offset):
        start = os.pread(fd, HEADER.size, found)
        claim = _claim(start)
        if claim is None or found + HEADER.size + claim[0] + claim[1] > size:
            continue
        frame = _checked(fd, found, position + found - offset, start, *claim)
        checked += claim[0] + claim[1]
        if frame or checked > _CHECKED_OCTETS:
            return frame
    return None


def _checksum(position: int, envelope: bytes, raw: bytes) -> int:
    return crc32(raw, crc32(envelope, crc32(_POSITION.pack(position))))


def _occurrences(fd: int, offset: int) -> Iterator[int]:
    while chunk := os.pread(fd, _SEARCH_OCTETS, offset):
        start = 0
        while (start := chunk.find(MAGIC, start)) >= 0:
            yield offset + start
            start += 1
        if len(chunk) < len(MAGIC):
            return
        offset += max(1, len(chunk) - len(MAGIC) + 1)
