"""Names under which mail servers write their notices."""

import re

_NAME = re.compile(
    r"mailer.?daemon|post_?master|mail ?deliver|mail ?administrator|microsoft ?exchange|mail ?system"
    r"|delivery ?sub ?system|system administrator|mail ?gateway|system ?attendant|mail ?router|mail ?server"
    r"|mdaemon|posta-certificata@|internet mail|delivery ?system|double-?bounce"
    r"|(?:^|[<\s\"])(?:bounces?|mailerdaemon|mail[-.]daemon|smtp|exchange|daemon|uucp|mmdf|undeliver\w*|listserv|ndr)\b",
    re.IGNORECASE,
)

LOCAL_PARTS = frozenset({"mailer-daemon", "postmaster", "mailerdaemon", "mail-daemon"})  # that no user is given


def is_daemon(from_: str) -> bool:
    """Whether a From field has the name of a mail server. Anybody can write one."""
    return _NAME.search(from_[:300]) is not None
