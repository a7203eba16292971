"""What holds for every account, recipient, domain and day."""

import string
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from handlers.keys import ACCOUNTS, ALPHABET, KIDS, AccountKey, MasterKey, Ring, account_key
from handlers.verp import State, is_for, mint, mint_base, unwrap, verify

NOW = datetime(2026, 11, 21, tzinfo=UTC)
RING = Ring({k: MasterKey(k, bytes([k + 1]) * 32, NOW) for k in range(KIDS)}, active=0)
ATEXT = string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~"  # RFC 5322 3.2.3

labels = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
domains = st.lists(labels, min_size=2, max_size=4).map(".".join)
users = st.lists(st.text(ATEXT, min_size=1, max_size=12), min_size=1, max_size=3).map(".".join)
addresses = st.builds("{}@{}".format, users, domains)
days = st.dates(date(2020, 1, 1), date(2109, 9, 18))
keys = st.builds(
    RING.account_key,
    st.integers(0, ACCOUNTS - 1),
    st.integers(0, KIDS - 1),
)
tags = st.text(string.hexdigits, min_size=10, max_size=10)
stamps = st.text(string.ascii_letters + string.digits + "+/", min_size=2, max_size=8)
wrappers = st.one_of(
    st.just("{}"),
    st.just('"{}"'),
    tags.map("prvs={}={{}}".format),
    tags.map("PRVS={}={{}}".format),
    tags.map("prvs={{}}={}".format),
    tags.map("btv1=={}=={{}}".format),
    st.builds("SRS0={}={}={}={{}}".format, stamps, stamps, domains),
    st.builds("srs0+{}={}={}={{}}".format, stamps, stamps, domains),
    st.builds("SRS1={}={}=={}={}={}={{}}".format, stamps, domains, stamps, stamps, domains),
)
plus_tags = st.one_of(st.just(""), st.text(string.ascii_letters + string.digits, max_size=9).map("+{}".format))


@given(keys, domains, addresses, days)
def test_a_token_comes_back_as_it_was_minted(key: AccountKey, domain: str, recipient: str, day: date) -> None:
    token = mint(key, domain, recipient, day)
    assert len(token) == 36
    assert set(token) <= set(ALPHABET)
    found = verify(token, domain, RING, day)
    assert found.state is State.VALID
    assert found.token is not None
    assert (found.token.kid, found.token.account, found.token.minted_on) == (key.kid, key.account, day)
    assert is_for(found.token, recipient, RING)
    assert is_for(found.token, recipient.upper(), RING)


@given(keys, domains, days, addresses)
def test_a_base_comes_back_with_the_recipient_behind_it(
    key: AccountKey, domain: str, day: date, recipient: str
) -> None:
    base = mint_base(key, domain, day)
    assert len(base) == 31
    assert set(base) <= set(ALPHABET)
    user, _, host = recipient.rpartition("@")
    found = verify(f"{base}+{user}={host}", domain.upper(), RING, day)
    assert found.state is State.VALID
    assert found.token is not None
    assert (found.token.text, found.token.account, found.token.recipient) == (base, key.account, recipient)


@given(keys, wrappers, wrappers, plus_tags, st.booleans())
def test_a_token_is_found_within_everything_that_mtas_put_around_it(
    key: AccountKey, outer: str, inner: str, tag: str, upper: bool
) -> None:
    token = mint(key, "rp.example.com", "jane@example.org", NOW.date())
    text = token.upper() if upper else token
    if outer == inner == '"{}"' or '"' in inner:  # quotes stand outside, once
        outer, inner = inner, "{}"
    assert unwrap(outer.format(inner.format(text + tag))) == token
    assert verify(outer.format(inner.format(text + tag)), "rp.example.com", RING, NOW.date()).accepted


@given(keys, wrappers, addresses)
def test_an_xverp_form_is_found_within_wrappers(key: AccountKey, wrapper: str, recipient: str) -> None:
    form = mint_base(key, "rp.example.com", NOW.date()) + "+" + "=".join(recipient.rsplit("@", 1))
    assert unwrap(wrapper.format(form)) == form


@given(keys, domains, domains, addresses)
def test_a_token_holds_for_one_domain(key: AccountKey, domain: str, other: str, recipient: str) -> None:
    token = mint(key, domain, recipient, NOW.date())
    same = domain.lower() == other.lower()
    assert (verify(token, other, RING, NOW.date()).state is State.VALID) is same
    assert verify(token, domain.upper() + ".", RING, NOW.date()).state is State.VALID


@given(keys, st.integers(0, ACCOUNTS - 1), st.integers(0, KIDS - 1))
def test_an_account_key_mints_for_its_own_account_alone(key: AccountKey, account: int, kid: int) -> None:
    claimed = AccountKey(kid, account, key.secret)
    token = mint(claimed, "rp.example.com", "jane@example.org", NOW.date())
    own = (kid, account) == (key.kid, key.account)
    expected = State.VALID if own else State.BAD_MAC
    assert verify(token, "rp.example.com", RING, NOW.date()).state is expected


@given(st.integers(0, ACCOUNTS - 1), addresses)
def test_a_retired_key_verifies_on(account: int, recipient: str) -> None:
    before = Ring({0: RING.masters[0]}, active=0)
    after = Ring({0: RING.masters[0], 1: RING.masters[1]}, active=1)
    old = mint(account_key(before, account), "rp.example.com", recipient, NOW.date())
    new = mint(account_key(after, account), "rp.example.com", recipient, NOW.date())
    assert verify(old, "rp.example.com", after, NOW.date()).accepted
    assert verify(new, "rp.example.com", after, NOW.date()).accepted
    assert verify(new, "rp.example.com", before, NOW.date()).state is State.UNKNOWN_KEY


@given(keys)
def test_the_text_of_an_account_key_comes_back(key: AccountKey) -> None:
    assert AccountKey.from_text(str(key)) == key
    assert AccountKey.from_text(str(key).upper()) == key


hostile = st.one_of(
    st.text(max_size=400),
    st.text(ALPHABET + '=+-@"/\\PRVSS01', min_size=30, max_size=80),
    st.builds(lambda form, text: form + text, st.sampled_from("bBxX"), st.text(ALPHABET, min_size=29, max_size=36)),
)


@given(hostile, st.text(max_size=60), hostile)
def test_nothing_raises_and_nothing_forged_is_taken(local_part: str, domain: str, address: str) -> None:
    found = verify(local_part, domain, RING, NOW.date() + timedelta(days=1))
    assert not found.accepted
    if found.token is not None:
        is_for(found.token, address + "@" + domain, RING)
