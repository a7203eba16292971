"""Mails on disk: single files, folders of them, mbox (RFC 4155) and Maildir."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from server.settings import UserError

# RFC 4155 appendix A: an address and a time as of asctime(), some with a zone behind the time or the year
_START = re.compile(rb"From .*\d:\d\d.* \d{4}\b.*")
_ONE_MAIL = ".eml"  # one mail, even where a mailbox's line was left in front, and others stand inside it
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)


def read(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Each mail with the name of where it is. Raises UserError for a path that is not there, OSError."""
    for path in paths:
        if path.is_dir():
            yield from _folder(path)
        elif path.exists():
            yield from _file(path)
        else:
            raise UserError(f"{path}: there is no such file or folder")


def _folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and not _is_maildirs_own(path):
            yield from _file(path)


def _is_maildirs_own(path: Path) -> bool:
    """What a Maildir has beside its mails: what is still being delivered, and the files of servers."""
    return (path.parent / "cur").is_dir() or (path.parent.name == "tmp" and (path.parent.parent / "cur").is_dir())


def _file(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:  # once: it may be a pipe
        first = file.readline()
        if not _START.match(first):
            yield str(path), first + file.read()
            return
        if path.suffix.lower() == _ONE_MAIL:
            yield str(path), file.read()
            return
        mails = enumerate(_mbox(file), 1)
        _, mail = next(mails)
        name = str(path)
        for number, following in mails:
            yield f"{path}:{number - 1}", mail
            name, mail = f"{path}:{number}", following
        yield name, mail


def _mbox(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The mails of an mbox behind its first line. A mail begins only behind an empty line."""
    mail: list[bytes] = []
    for line in lines:
        if _START.match(line) and mail and not mail[-1].strip(b"\r\n"):
            yield _unquoted(mail[:-1])
            mail = []
        else:
            mail.append(line)
    yield _unquoted(mail[:-1] if mail and not mail[-1].strip(b"\r\n") else mail)


def _unquoted(mail: list[bytes]) -> bytes:
    return _QUOTED.sub(rb"\1", b"".join(mail))
