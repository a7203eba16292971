"""Signed return paths, against the vectors of docs/tokens.md and every change of one character."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from handlers.keys import ALPHABET, AccountKey, MasterKey, Ring, UnusableKey, account_key, to_base32
from handlers.verp import Expiry, State, fold, is_for, mint, mint_base, unwrap, verify

HERE = Path(__file__).parent
VECTORS = json.loads((HERE / "token-vectors.json").read_text())
DOMAIN = "rp.example.com"
TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
RING = Ring({k: MasterKey(k, bytes([k]) * 32, NOW) for k in (3, 4)}, active=4)
KEY = account_key(RING, 7)
TOKEN = mint(KEY, DOMAIN, "jane@example.org", TODAY)
BASE = mint_base(KEY, DOMAIN, TODAY)


def state(local_part: str, domain: str = DOMAIN, today: date = TODAY, **policy: int) -> State:
    return verify(local_part, domain, RING, today, Expiry(**policy)).state


def ring_of_vectors() -> Ring:
    masters = {v["kid"]: MasterKey(v["kid"], bytes.fromhex(v["master"]), NOW) for v in VECTORS["account_keys"]}
    return Ring(masters, active=0)


def documented_mint() -> Callable[..., str]:
    code = re.search(r"```python\n(.+?)```", (HERE.parents[1] / "docs/tokens.md").read_text(), re.DOTALL)
    assert code
    names: dict[str, Callable[..., str]] = {}
    exec(code[1], names)  # type: ignore[arg-type]  # noqa: S102 - the page's own example
    return names["mint"]


@pytest.mark.parametrize("vector", VECTORS["account_keys"])
def test_an_account_key_is_derived_and_written_as_in_the_vectors(vector: dict) -> None:
    key = ring_of_vectors().account_key(vector["account"], vector["kid"])
    assert key is not None
    assert (key.secret.hex(), str(key)) == (vector["secret"], vector["text"])
    assert AccountKey.from_text(vector["text"].upper() + "\n") == key


@pytest.mark.parametrize("vector", VECTORS["delivery_tokens"])
def test_a_token_is_minted_as_in_the_vectors_and_as_the_page_says(vector: dict) -> None:
    key, day = AccountKey.from_text(vector["key"]), date.fromisoformat(vector["day"])
    assert fold(vector["recipient"]).decode() == vector["folded"]
    assert mint(key, vector["domain"], vector["recipient"], day, vector["id"]) == vector["token"]
    by_hand = documented_mint()(vector["key"], vector["domain"], vector["recipient"], day, vector["id"])
    assert by_hand == vector["token"]


@pytest.mark.parametrize("vector", VECTORS["xverp_bases"])
def test_a_base_is_minted_as_in_the_vectors(vector: dict) -> None:
    key, day = AccountKey.from_text(vector["key"]), date.fromisoformat(vector["day"])
    assert mint_base(key, vector["domain"], day, vector["id"]) == vector["token"]


@pytest.mark.parametrize("vector", VECTORS["verify"])
def test_a_local_part_is_read_as_in_the_vectors(vector: dict) -> None:
    today = date.fromisoformat(vector["today"])
    found = verify(vector["local_part"], vector["domain"], ring_of_vectors(), today)
    assert found.state == vector["state"]
    assert (found.token.recipient if found.token else None) == vector.get("recipient")


def test_the_example_mints_for_today_when_it_is_not_told_a_day() -> None:
    token = documented_mint()(str(KEY), DOMAIN, "jane@example.org")
    assert state(token, today=datetime.now(UTC).date()) is State.VALID


def test_a_token_says_what_it_was_minted_with() -> None:
    found = verify(mint(KEY, DOMAIN, "jane@example.org", TODAY, random_id=99), DOMAIN, RING, TODAY)
    assert found.accepted
    assert found.token is not None
    assert (found.token.kid, found.token.account, found.token.id) == (4, 7, 99)
    assert found.token.minted_on == TODAY
    assert found.token.text == mint(KEY, DOMAIN, "jane@example.org", TODAY, random_id=99)


@pytest.mark.parametrize("genuine", [TOKEN, BASE], ids=["token", "base"])
def test_every_change_of_one_character_is_refused(genuine: str) -> None:
    printable = {chr(c) for c in range(33, 127)} | {
        "\0",
        "\n",
        "\u212a",
        "\u017f",
        "\u0131",
    }  # Kelvin sign, long s, dotless i
    for at, right in enumerate(genuine):
        for wrong in printable - {right, right.upper()}:
            changed = genuine[:at] + wrong + genuine[at + 1 :]
            assert not verify(changed, DOMAIN, RING, TODAY).accepted, changed


@pytest.mark.parametrize("genuine", [TOKEN, BASE], ids=["token", "base"])
def test_every_truncation_and_extension_is_refused(genuine: str) -> None:
    for length in range(len(genuine)):
        assert state(genuine[:length]) is State.MALFORMED
        assert state(genuine[length + 1 :]) is State.MALFORMED
        assert state(genuine[:length] + genuine[length + 1 :]) is State.MALFORMED
    for letter in ALPHABET + "0189.-=_/ \n":
        for longer in (genuine + letter, letter + genuine, genuine[:9] + letter + genuine[9:]):
            assert state(longer) is State.MALFORMED, longer


def test_two_characters_that_change_places_are_refused() -> None:
    for at in range(len(TOKEN) - 1):
        swapped = TOKEN[:at] + TOKEN[at + 1] + TOKEN[at] + TOKEN[at + 2 :]
        assert swapped == TOKEN or not verify(swapped, DOMAIN, RING, TODAY).accepted


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-3, State.EXPIRED),
        (-2, State.VALID),
        (0, State.VALID),
        (90, State.VALID),
        (91, State.LATE),
        (180, State.LATE),
        (181, State.EXPIRED),
        (30000, State.EXPIRED),
    ],
)
def test_age_decides(days: int, expected: State) -> None:
    assert state(TOKEN, today=TODAY + timedelta(days=days)) is expected


def test_the_days_are_settings() -> None:
    assert state(TOKEN, today=TODAY + timedelta(days=31), valid_days=30) is State.LATE
    assert state(TOKEN, today=TODAY + timedelta(days=31), valid_days=30, late_days=30) is State.EXPIRED
    assert state(TOKEN, today=TODAY - timedelta(days=1), ahead_days=0) is State.EXPIRED


def test_a_forged_token_does_not_show_whether_it_would_have_expired() -> None:
    forged = TOKEN[:-1] + ("a" if TOKEN[-1] != "a" else "b")
    assert state(forged, today=TODAY + timedelta(days=400)) is State.BAD_MAC


def test_a_token_of_a_key_that_left_the_ring_is_unknown() -> None:
    assert verify(TOKEN, DOMAIN, Ring({3: RING.masters[3]}, active=3), TODAY).state is State.UNKNOWN_KEY


@pytest.mark.parametrize(
    "local_part",
    ["", '"', '""', "b", "prvs=", "prvs==", "SRS0=a=b=c=", "\0" * 40, "\ud800" * 36, "x" * 10_000_000, "b" + "+" * 300,
     "prvs=" + "a=" * 150, '"' + "\\" * 300 + '"', "SRS1=" + "=" * 300, "ＢＡＡＡ" * 9],
)  # fmt: skip
def test_rubbish_is_malformed(local_part: str) -> None:
    assert state(local_part) is State.MALFORMED


def test_layers_are_taken_off_up_to_four() -> None:
    def wrapped(times: int) -> str:
        return "prvs=1234abcdef=" * times + TOKEN

    assert unwrap(wrapped(3)) == TOKEN
    assert unwrap(wrapped(4)) is None


@pytest.mark.parametrize(
    ("behind", "recipient"),
    [
        ("", None),
        ("+tag", None),  # a gateway's, not a recipient
        ("+", None),
        ("+jane=example.org", "jane@example.org"),
        ("+Jane=Example.org", "Jane@Example.org"),
        ("+a=b=c=example.org", "a=b=c@example.org"),
        ("+jane+list=example.org", "jane+list@example.org"),
        ("+jane=example.org+tag", "jane@example.org"),
        ("=jane=example.org", "jane@example.org"),
        ("-jane-doe=ex-ample.org", "jane-doe@ex-ample.org"),
        ("+jörg=bücher.example", "jörg@bücher.example"),
    ],
)
def test_xverp_names_the_recipient_behind_the_base(behind: str, recipient: str | None) -> None:
    for text in (BASE + behind, BASE.upper() + behind, "prvs=1234abcdef=" + BASE + behind):
        found = verify(text, DOMAIN, RING, TODAY)
        assert found.state is State.VALID, text
        assert found.token is not None
        assert (found.token.recipient, found.token.text) == (recipient, BASE)


@pytest.mark.parametrize("behind", ["=", "-", "-tag", "=example.org", "+jane=", "+=example.org=", "+a b=c", "+a\r\n=c"])
def test_what_names_no_recipient_is_no_xverp(behind: str) -> None:
    found = verify(BASE + behind, DOMAIN, RING, TODAY)
    assert found.token is None or found.token.recipient is None


def test_a_delivery_token_takes_no_recipient_from_behind_it() -> None:
    found = verify(TOKEN + "+other=example.org", DOMAIN, RING, TODAY)
    assert found.token is not None
    assert found.token.recipient is None
    assert not is_for(found.token, "other@example.org", RING)


@pytest.mark.parametrize(
    ("minted_for", "told", "same"),
    [
        ("jane@example.org", "jane@example.org", True),
        ("Jane.Doe@Example.ORG", "jane.doe@example.org.", True),
        ('"jane"@example.org', "jane@example.org", True),
        (r'"a\ b"@example.org', '"a b"@example.org', True),
        ("jo\u0308rg@example.org", "j\u00f6rg@example.org", True),
        ("jane@b\u00fccher.example", "jane@XN--BCHER-KVA.example", True),
        ("jane@xn--bcher-kva.example", "jane@b\u00fccher.example", True),
        ("jane@xn--999999999.example", "jane@xn--999999999.example", True),
        ("jane@example.org", "john@example.org", False),
        ("jane@example.org", "jane@example.net", False),
        ("jane@example.org", "jane", False),
        ("jane@example.org", "", False),
        ("jane@example.org", "j" * 400 + "@example.org", False),
        ("jane@example.org", "jane@\udc80.example", False),
        ("jane@example.org", "jane@xn--\u00fc\u00fc.example", False),
    ],
)  # fmt: skip
def test_a_token_says_whom_it_was_for(minted_for: str, told: str, same: bool) -> None:
    by_hash = verify(mint(KEY, DOMAIN, minted_for, TODAY), DOMAIN, RING, TODAY).token
    assert by_hash is not None
    assert is_for(by_hash, told, RING) is same


def test_an_xverp_base_was_minted_for_nobody() -> None:
    """Its recipient is anybody's word: it must not pass for the proof that a hash is."""
    token = verify(BASE + "+jane=example.org", DOMAIN, RING, TODAY).token
    assert token is not None
    assert token.recipient == "jane@example.org"
    assert not is_for(token, "jane@example.org", RING)


def test_a_token_without_its_key_is_for_nobody() -> None:
    token = verify(TOKEN, DOMAIN, RING, TODAY).token
    assert token is not None
    assert not is_for(token, "jane@example.org", Ring({3: RING.masters[3]}, active=3))


def test_what_does_not_fit_is_not_minted() -> None:
    with pytest.raises(UnusableKey, match="does not fit in 40 bits"):
        mint(KEY, DOMAIN, "jane@example.org", TODAY, random_id=1 << 40)
    with pytest.raises(UnusableKey, match="does not fit in 15 bits"):
        mint(KEY, DOMAIN, "jane@example.org", date(2019, 12, 31))
    with pytest.raises(UnusableKey, match="account 1048576"):
        account_key(RING, 1 << 20)


def test_ids_differ() -> None:
    assert len({mint(KEY, DOMAIN, "jane@example.org", TODAY) for _ in range(100)}) == 100


def test_a_damaged_account_key_is_told() -> None:
    text = str(KEY)
    for at in range(6, len(text)):
        changed = text[:at] + ("a" if text[at] != "a" else "b") + text[at + 1 :]
        with pytest.raises(UnusableKey, match="damaged"):
            AccountKey.from_text(changed)
    for other in (text[:-1], text + "a", "bmxk2" + text[5:], text[:9] + "1" + text[10:], "", "bmxk1-"):
        with pytest.raises(UnusableKey, match="not an account key"):
            AccountKey.from_text(other)


def test_keys_do_not_show_their_secrets() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(KEY)
    assert repr(RING.masters[3].secret) not in repr(RING)


def test_a_ring_needs_its_active_key_and_whole_secrets() -> None:
    with pytest.raises(UnusableKey, match="active key 9"):
        Ring(RING.masters, active=9)
    with pytest.raises(UnusableKey, match="32 octets"):
        MasterKey(1, b"short", NOW)
    with pytest.raises(UnusableKey, match="kid 32"):
        MasterKey(32, b"x" * 32, NOW)


def test_numbers_fill_their_width() -> None:
    assert (to_base32(0, 3), to_base32((1 << 15) - 1, 3), to_base32(33, 2)) == ("aaa", "777", "bb")
