"""What is written and read is what json would say."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.words import Kind
from storage import jsontext

texts = st.text(st.characters(exclude_categories=()))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts | st.integers(), inner),
    max_leaves=8,
)


@given(values)
@example([-(2**63) - 1, -(2**63), 2**64 - 1, 2**64])
def test_json_reads_what_is_written_and_the_other_way_round(value: object) -> None:
    as_json = json.loads(json.dumps(value))
    assert json.loads(jsontext.dumps(value)) == as_json
    assert jsontext.loads(json.dumps(value)) == as_json
    assert jsontext.loads(jsontext.dumps(value)) == as_json


def test_it_has_no_spaces_and_escapes_nothing() -> None:
    assert (
        jsontext.dumps({"ä": ("\u2028", 1.5, None), "kind": Kind.FAILURE})
        == '{"ä":["\u2028",1.5,null],"kind":"failure"}'
    )
    assert jsontext.dumps("\udc80ä") == '"\udc80ä"'


@pytest.mark.parametrize("value", [datetime(2026, 3, 4, tzinfo=UTC), b"x", {1, 2}])
def test_what_is_no_json(value: object) -> None:
    with pytest.raises(TypeError):
        jsontext.dumps(value)


@pytest.mark.parametrize("text", ["", "{", "[1,]", b"\xff"])
def test_what_cannot_be_read(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        jsontext.loads(text)
