"""The classifier with the operator's rules in front of ours."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from handlers import ruleset
from handlers.classify import Classifier
from handlers.pipeline import understand
from handlers.ports import Said
from handlers.ruleset import BadRules
from handlers.words import Profile
from server.settings import UserError


def classifier(rules: Sequence[Path], profile: Profile) -> Classifier:
    """Raises UserError for rules that are wrong, one line a mistake."""
    try:
        return Classifier(ruleset.load(rules), profile)
    except BadRules as error:
        raise UserError(str(error)) from None


def understanding(rules: Sequence[Path], profile: Profile) -> Callable[[bytes, str], Said]:
    """The steps parse and classify on one mail and its reverse path. Raises UserError as classifier() does."""
    return partial(understand, classifier=classifier(rules, profile))
