"""The classifier with the operator's rules in front of ours."""

from collections.abc import Sequence
from pathlib import Path

from handlers import ruleset
from handlers.classify import Classifier
from handlers.ruleset import BadRules
from handlers.words import Profile
from server.settings import UserError


def classifier(rules: Sequence[Path], profile: Profile) -> Classifier:
    """Raises UserError for rules that are wrong, one line a mistake."""
    try:
        return Classifier(ruleset.load(rules), profile)
    except BadRules as error:
        raise UserError(str(error)) from None
