"""The key file in the data folder: keys.json, mode 0600. Whoever has it can mint for every account.

Several processes may start on an empty folder at once: exactly one creates the file, all use it. A file that cannot
be read is never replaced, because every return path that is under way was signed with what it holds.
"""

import fcntl
import json
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from handlers.keys import (
    KIDS,
    SECRET_OCTETS,
    AccountKey,
    MasterKey,
    Ring,
    UnusableKey,
    account_key,
    from_base32,
    to_base32,
)

__all__ = ["AccountKey", "KeyFile", "KeyFileBroken", "account_key", "open_or_create", "rotate"]

NAME = "keys.json"
KEEP_DAYS = 190  # how long a retired key verifies: its last tokens are taken for 180 days, by default
_OTHERS_MAY = 0o027  # a group may read (secrets mounted into containers), nobody else

log = logging.getLogger(__name__)


class KeyFileBroken(Exception):
    """keys.json cannot be used. The message says why and what to do."""


class KeyFile:
    """The ring of a data folder, read again when the file has changed."""

    def __init__(self, data_dir: Path) -> None:
        """Creates the file where it is missing. Raises KeyFileBroken."""
        self._path = data_dir / NAME
        self._seen = _stamp(self._path)  # before it is read: a change in between is seen at the next look
        self._ring = open_or_create(data_dir)

    def ring(self) -> Ring:
        """The ring as it is now. Where the file has become unusable, the last good one, and a line in the log."""
        stamp = _stamp(self._path)
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._ring = _read(self._path)
            except KeyFileBroken as broken:
                log.error("going on with the keys read before: %s", broken)
        return self._ring


def open_or_create(data_dir: Path) -> Ring:
    """The ring of a data folder; a new one where there is none. Raises KeyFileBroken, or OSError for the folder."""
    path = data_dir / NAME
    if not os.path.lexists(path):
        data_dir.mkdir(parents=True, exist_ok=True)
        first = MasterKey(0, secrets.token_bytes(SECRET_OCTETS), _now())
        with suppress(FileExistsError), _written(path, Ring({0: first}, active=0)) as new:
            os.link(new, path)  # fails where another process was first: its keys are the ones
    return _read(path)


def rotate(data_dir: Path, now: datetime | None = None, keep_days: int = KEEP_DAYS) -> Ring:
    """Lets a new key sign and the present one verify on. Drops keys that were retired over `keep_days` ago.

    Raises KeyFileBroken, also when every key id is in use.
    """
    path = data_dir / NAME
    now = now or _now()
    open_or_create(data_dir)
    with _locked(data_dir):
        ring = _rotated(_read(path), now, keep_days)
        with _written(path, ring) as new:
            new.replace(path)
    return ring


def _rotated(ring: Ring, now: datetime, keep_days: int) -> Ring:
    keep_since = now - timedelta(days=keep_days)
    live = {k: m for k, m in ring.masters.items() if m.retired is None or m.retired >= keep_since}
    free = next((k % KIDS for k in range(ring.active + 1, ring.active + KIDS) if k % KIDS not in live), None)
    if free is None:
        raise KeyFileBroken(f"all {KIDS} key ids are in use: keys retired {keep_days} days ago make room")
    live[ring.active] = replace(ring.masters[ring.active], retired=now)
    live[free] = MasterKey(free, secrets.token_bytes(SECRET_OCTETS), now)
    return Ring(live, active=free)


def _read(path: Path) -> Ring:
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii")
    except OSError as error:
        raise KeyFileBroken(f"{path}: {error.strerror}; this process runs as user {os.geteuid()}") from error
    except UnicodeDecodeError as error:
        raise _broken(path, "it is not text") from error
    if mode & _OTHERS_MAY:
        raise KeyFileBroken(f"{path}: others may read or change it (mode {mode & 0o777:04o}); chmod 600 {path}")
    try:
        return _ring_of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(path, f"{type(error).__name__}: {error}") from error


def _broken(path: Path, why: str) -> KeyFileBroken:
    return KeyFileBroken(
        f"{path} cannot be used ({why}). Put it back from a backup. Without one, move it away and start again: "
        "new keys are made then, and every bounce of mail sent before is refused as forged."
    )


def _ring_of(document: dict[str, object]) -> Ring:
    if document["version"] != 1:
        raise UnusableKey(f"version {document['version']!r} is of a later bouncemx")
    entries = document["keys"]
    if not isinstance(entries, list):
        raise UnusableKey("keys is not a list")
    masters = [_master_of(entry) for entry in entries]
    if len({master.kid for master in masters}) != len(masters):
        raise UnusableKey("a key id stands there twice")
    return Ring({master.kid: master for master in masters}, _kid_of(document["active"]))


def _master_of(entry: dict[str, str]) -> MasterKey:
    retired = entry.get("retired")
    return MasterKey(
        kid=_kid_of(entry["kid"]),
        secret=bytes.fromhex(entry["secret"]),
        created=_time_of(entry["created"]),
        retired=_time_of(retired) if retired else None,
    )


def _time_of(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise UnusableKey(f"time {text} has no zone")
    return time


def _kid_of(letter: object) -> int:
    if not isinstance(letter, str) or len(letter) != 1:
        raise UnusableKey(f"key id {letter!r} is not one letter")
    kid = from_base32(letter)
    if to_base32(kid, 1) != letter:
        raise UnusableKey(f"key id {letter!r} is not of a-z, 2-7")
    return kid


def _text_of(ring: Ring) -> str:
    keys = [
        {
            "kid": to_base32(master.kid, 1),  # as it stands in tokens
            "secret": master.secret.hex(),
            "created": master.created.isoformat(),
            "retired": master.retired and master.retired.isoformat(),
        }
        for master in ring.masters.values()
    ]
    return json.dumps({"version": 1, "active": to_base32(ring.active, 1), "keys": keys}, indent=2) + "\n"


@contextmanager
def _written(path: Path, ring: Ring) -> Iterator[Path]:
    """The ring in a file beside `path`, on disk; gone afterwards unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # O_EXCL, mode 0600
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(_text_of(ring))
            file.flush()
            os.fsync(file.fileno())
        yield new
    finally:
        new.unlink(missing_ok=True)
        _sync_folder(path.parent)


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """One rotation at a time. The lock ends with the process, however it ends."""
    handle = os.open(data_dir / f"{NAME}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _now() -> datetime:
    return datetime.now(UTC)
