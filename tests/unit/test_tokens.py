"""Tokens with today's date and the keys as they are now."""

from dataclasses import replace

from tests.unit.sent import DOMAIN, TOKENS, token


def test_the_keys_of_a_moment_are_looked_at_once() -> None:
    looks: list[str] = []

    def ring() -> object:
        looks.append("ring")
        return TOKENS.ring()

    mine = replace(TOKENS, ring=ring).at_once()
    address = f"{token('ann@x.example')}@{DOMAIN}"
    assert [mine.read(address), mine.read(address)] == [TOKENS.read(address)] * 2
    assert looks == ["ring"]
