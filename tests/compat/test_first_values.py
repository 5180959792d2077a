"""Values as text that the first service keeps: nothing of theirs is lost, and SDK 0.2.1 reads the same where it can."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botwire_core.codec import Value, encode
from botwire_core.stores.http.first_values import MARK, text_of, value_of

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(LEAVES, lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(), some, max_size=4))
# Text that is made to be taken for something else.
TRICKY = st.lists(
    st.sampled_from(["[", "]", "{", "}", '"', "\\", "5", "null", "true", "1e400", "NaN", ",", ":", " ", MARK, "a"])
).map("".join) | JSON.map(json.dumps).flatmap(
    lambda text: st.sampled_from([text, text + MARK, json.dumps(text), json.dumps(text) + MARK, text + MARK + MARK])
)


def read_by_first_sdk(text: str) -> Any:
    """What `get` of SDK 0.2.1 makes of text; `test_first_service_values.py` asks the SDK itself."""
    if text and text[0] in "[{":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def is_same(one: Value, other: Value) -> bool:
    """Whether two values are the same with their types: 1 is not 1.0, nor True."""
    return encode(one) == encode(other)


@given(JSON | st.binary() | TRICKY)
def test_every_value_is_read_back_with_its_types(value: Value) -> None:
    assert is_same(value_of(text_of(encode(value))), value)


@given(st.lists(JSON) | st.dictionaries(st.text(), JSON))
def test_lists_and_objects_are_the_same_to_the_first_sdk(value: Value) -> None:
    assert is_same(read_by_first_sdk(text_of(encode(value))), value)
    assert is_same(value_of(json.dumps(value)), value)


@given(st.text() | TRICKY)
def test_text_that_the_first_sdk_can_keep_is_the_same_to_it(text: str) -> None:
    if read_by_first_sdk(text) == text and not text.endswith(MARK):
        assert text_of(encode(text)) == text
        assert value_of(text) == text


@pytest.mark.parametrize("value", [5, -0.5, 10**30, True, False, None])
def test_a_number_or_truth_value_is_json_text_to_everybody_else(value: Value) -> None:
    text = text_of(encode(value))
    assert json.loads(text) == value
    assert text.strip() == json.dumps(value)


def test_bytes_are_an_object_with_base64_to_everybody_else() -> None:
    assert read_by_first_sdk(text_of(encode(b"\x00\xff"))) == {"value": "AP8=", "encoding": "base64"}


@pytest.mark.parametrize(
    "text",
    [
        "[not JSON",
        '{"a": NaN}',
        '{"a": Infinity}',
        '["\\ud800"]',
        "[" * 129 + "]" * 129,
        "[" * 60_000,
        "[" + "9" * 5000 + "]",
        MARK,
        "nil" + MARK,
    ],
    ids=lambda text: text[:16],
)
def test_what_no_store_of_ours_could_keep_is_read_as_text(text: str) -> None:
    assert value_of(text) == text
