"""A mail by itself: parsed and classified, with nothing known of what was sent."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handlers.bounce import Link
from handlers.detached import detect
from handlers.inspection import inspection
from handlers.parse import parse
from handlers.report import Report
from handlers.words import LinkMethod, Profile
from server.rulebook import classifier


class Inspector:
    """Inspects one mail after the other."""

    def __init__(self, rules: Sequence[Path] = (), profile: Profile = Profile.HUBSPOT) -> None:
        """With the operator's rule files in front of ours. Raises UserError for rules that are wrong."""
        self._classifier = classifier(rules, profile)

    def inspect(self, raw: bytes) -> dict[str, Any]:
        """One mail as `inspect --json` prints it, without "file"."""
        report = parse(raw)
        named = links(report)
        detection = detect(report, named)
        verdicts = self._classifier.classify(report)
        return inspection(report, verdicts, named, detection.detectability, detection.notice_form)


_NOTHING = (LinkMethod.MESSAGE_ID, "", None)


def links(report: Report) -> tuple[Link, ...]:
    """What the notice names of an original: unknown, as there is nothing to look it up in."""
    original = report.original
    named: list[tuple[LinkMethod, str, str | None]] = [
        (LinkMethod.ENVELOPE_ID, "original_envelope_id", report.original_envelope_id),
        (LinkMethod.MESSAGE_ID, original.where, original.message_id) if original else _NOTHING,
        *((LinkMethod.THREAD, "in_reply_to", value) for value in report.in_reply_to),
        *((LinkMethod.THREAD, "references", value) for value in report.references),
    ]  # fmt: skip
    return tuple(Link(method, where, "unknown", value) for method, where, value in named if value)
