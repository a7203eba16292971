"""Mails on disk: single files, folders of them, mbox (RFC 4155) and Maildir."""

import mailbox
from collections.abc import Iterable, Iterator
from pathlib import Path

from server.settings import UserError

_MBOX_START = b"From "


def read(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Each mail with the name of where it is. Raises UserError for a path that is not there."""
    for path in paths:
        if path.is_dir():
            yield from _folder(path)
        elif path.exists():
            yield from _file(path)
        else:
            raise UserError(f"{path}: there is no such file or folder")


def _folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        # a Maildir's tmp holds what is still being delivered
        if path.is_file() and not path.name.startswith(".") and not _is_in_tmp(path):
            yield from _file(path)


def _is_in_tmp(path: Path) -> bool:
    return path.parent.name == "tmp" and (path.parent.parent / "cur").is_dir()


def _file(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        start = file.read(len(_MBOX_START))
    if start != _MBOX_START:
        yield str(path), path.read_bytes()
        return
    box = mailbox.mbox(path, create=False)
    try:
        found = list(box.keys())
        for number, key in enumerate(found, 1):
            name = str(path) if len(found) == 1 else f"{path}:{number}"
            yield name, box.get_bytes(key)
    finally:
        box.close()
