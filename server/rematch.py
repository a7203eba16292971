"""Captures whose message was registered after they came are matched again, as if it had been there first."""

import logging
from collections.abc import Sequence

from handlers.effects import Policy
from handlers.envelope import Mail
from handlers.pipeline import Ports
from server.reading import ReaderMissing
from server.reclassify import Reclassifier
from storage import revision, waiting
from storage.database import Database, DatabaseUnusable

log = logging.getLogger("bouncemx.rematch")


class Rematcher:
    """Looks for captures that are due, a page a step."""

    def __init__(self, db: Database, ports: Ports, policy: Policy | None = None) -> None:
        self._db = db
        self._reclassifier = Reclassifier(db, ports, policy)

    def step(self) -> int:
        """Matches the next ones again; how many those were. Raises DatabaseUnusable, ReaderMissing."""
        with self._db.reader() as connection:
            mails = revision.due(connection)
        if not mails:
            return 0
        try:
            self._match(mails)
        except (DatabaseUnusable, ReaderMissing):
            raise
        except Exception:
            log.exception("captures could not be matched again; trying them one by one")
            for mail in mails:
                self._match_alone(mail)
        return len(mails)

    def _match(self, mails: Sequence[Mail]) -> None:
        tally = self._reclassifier.match_again(mails)
        log.info("%d captures named what was registered since; %d say more by now", tally.captures, tally.changed)

    def _match_alone(self, mail: Mail) -> None:
        """One that we can't do must not stop the others: it stays as it is."""
        try:
            self._match([mail])
        except (DatabaseUnusable, ReaderMissing):
            raise
        except Exception:
            log.exception("capture %d could not be matched again, and stays as it is", mail.position)
            with self._db.writer() as connection:
                waiting.done(connection, [mail.position])
