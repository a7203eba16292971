"""JSON as text: what json writes and reads, in a fifth of the time.

orjson refuses lone surrogates, numbers beyond 64 bits and keys that are no text, and reads such numbers as floats; json
takes them.
"""

import json
from typing import Any

import orjson

_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS  # no value that json would refuse
_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = b"0" * 19  # digits of 2**63
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(value: Any) -> str:
    """Without spaces; characters stand for themselves. Raises TypeError for what is no JSON."""
    try:
        return orjson.dumps(value, option=_STRICT).decode()
    except TypeError:
        return _encode(value)


def loads(text: str | bytes) -> Any:
    """Raises ValueError."""
    octets = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        return json.loads(text) if _LONG in octets.translate(_AS_ZEROS) else orjson.loads(octets)
    except ValueError:
        return json.loads(text)
