"""The port Reader without a process: parse and classify, here and now."""

from collections.abc import Sequence

from handlers.classify import Classifier
from handlers.envelope import Mail
from handlers.pipeline import understand
from handlers.ports import Said, Unreadable


class PlainReader:
    """Reads one mail after the other; a test may override one()."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def one(self, mail: Mail) -> Said | Unreadable:
        return understand(mail.raw, mail.envelope.reverse_path, self.classifier)

    def read(self, mails: Sequence[Mail]) -> list[Said | Unreadable]:
        return [self.one(mail) for mail in mails]
