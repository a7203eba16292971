"""Reason and permanence -> type and category, by profile. The table is handlers/rules/profiles.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from handlers.words import BounceType, Category, Profile, Reason


@dataclass(frozen=True, slots=True)
class Effect:
    """What a reason comes to: the type of the bounce, and what the operator should do about it."""

    type: BounceType
    category: Category


@dataclass(frozen=True, slots=True)
class Row:
    """One reason of one profile."""

    permanent: Effect
    temporary: Effect


Table = Mapping[Reason, Row]


class BadProfiles(ValueError):
    """The table leaves out a reason or uses an unknown word."""


@cache
def table(profile: Profile) -> Table:
    """The rows of `profile`, one for every reason. Raises BadProfiles."""
    raw = (files("handlers") / "rules" / "profiles.toml").read_text(encoding="utf-8")
    return read(raw, profile)


def read(text: str, profile: Profile) -> Table:
    """The table of `profile` out of the TOML in `text`. Raises BadProfiles."""
    entries = tomllib.loads(text).get(profile, {})
    missing = [reason for reason in Reason if reason not in entries]
    unknown = sorted(entries.keys() - set(Reason))
    if missing or unknown:
        raise BadProfiles(f"profile {profile}: reasons missing {missing}, unknown {unknown}")
    try:
        return {reason: _row(entries[reason]) for reason in Reason}
    except (KeyError, ValueError) as error:
        raise BadProfiles(f"profile {profile}: {error}; write permanent = [TYPE, CATEGORY]") from error


def _row(entry: Mapping[str, tuple[str, str]]) -> Row:
    return Row(_effect(entry["permanent"]), _effect(entry["temporary"]))


def _effect(pair: tuple[str, str]) -> Effect:
    type_, category = pair
    return Effect(BounceType(type_), Category(category))
