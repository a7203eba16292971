"""JSON as text: what json writes and reads, in a fifth of the time.

orjson refuses lone surrogates, numbers beyond 64 bits and keys that are no text; json takes them.
"""

import json
from typing import Any

import orjson

_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS  # no value that json would refuse
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(value: Any) -> str:
    """Without spaces; characters stand for themselves. Raises TypeError for what is no JSON."""
    try:
        return orjson.dumps(value, option=_STRICT).decode()
    except TypeError:
        return _encode(value)


def loads(text: str | bytes) -> Any:
    """Raises ValueError."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)
