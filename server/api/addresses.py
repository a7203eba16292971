"""Addresses as they stand in a request: one that can't be mailed is told by its place."""

from collections.abc import Iterable
from itertools import islice

from server.api.problems import Fault, refused_for
from server.minting import is_address

_MOST_FAULTS = 100  # that one answer tells


def check_addresses(given: Iterable[tuple[str, str]]) -> None:
    """Raises Refused (422) for (field, address) pairs of which one is no address."""
    wrong = (
        Fault(where="body", field=field, value=address[:200], detail="is no address: give e.g. ann@example.com")
        for field, address in given
        if not is_address(address)
    )
    faults = list(islice(wrong, _MOST_FAULTS))
    if faults:
        raise refused_for(faults)
