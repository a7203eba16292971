"""What a reason is worth: for how long it suppresses, and whether it speaks of the sender (rules/effects.toml)."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from handlers.words import Reason

_ADDRESS = re.compile(r"[\d.]+|\[.*|.*:.*")


@cache
def default_days() -> Mapping[Reason, int | None]:
    """For how many days each reason suppresses; None: for good."""
    told = _table("effects")["suppression_days"]
    return {reason: told.get(reason) for reason in Reason}


@cache
def of_the_sender() -> frozenset[Reason]:
    """The reasons that speak of the sender, not of the address."""
    return frozenset(map(Reason, _table("effects")["incident"]["reasons"]))


@lru_cache(maxsize=4096)
def provider(remote_mta: str | None, address: str) -> str:
    """Whose servers refused: a known provider, else the domain of the host that answered, else the recipient's."""
    host, domain = _name(remote_mta or ""), _name(address.rpartition("@")[2])
    return _known(host) or _known(domain) or _organization(host) or domain


def _name(text: str) -> str:
    name = text.strip(". ").lower()
    return "" if _ADDRESS.fullmatch(name) or "." not in name else name


def _known(host: str) -> str | None:
    labels = host.split(".")
    names = (".".join(labels[start:]) for start in range(len(labels)))
    return next((_hosts()[name] for name in names if name in _hosts()), None)


def _organization(host: str) -> str:
    """Its last two labels, three below what looks like co.uk: near enough to tell providers apart."""
    labels = host.split(".")
    registry = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3 if registry else -2 :])


@cache
def _hosts() -> Mapping[str, str]:
    tables = _table("providers")["provider"], _table("effects")["provider"]
    return {host: name for table in tables for name, entry in table.items() for host in entry["hosts"]}


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((files("handlers") / "rules" / f"{name}.toml").read_text(encoding="utf-8"))
