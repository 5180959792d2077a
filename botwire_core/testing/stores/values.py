"""Values: whatever was accepted comes back, exactly and fresh."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botwire_core import protocol as p
from botwire_core.codec import BYTES, Payload, Value, encode
from botwire_core.errors import TooLargeError
from botwire_core.store import Store
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["VALUES", "ValueContract", "values"]

_DEEP: Any = 1
for _ in range(128):
    _DEEP = [_DEEP]

VALUES: Final[dict[str, Value]] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "one as a float": 1.0,
    "minus zero": -0.0,
    "a tenth": 0.1,
    "the smallest float": 5e-324,
    "the largest float": 1.7976931348623157e308,
    "an integer that no float holds": 2**53 + 1,
    "the largest of 63 bits": 2**63 - 1,
    "the smallest of 63 bits": -(2**63),
    "the largest of 64 bits": 2**64 - 1,
    "an integer of 65 bits": 2**64,
    "a negative integer of 64 bits": -(2**63) - 1,
    "ten to the 40": 10**40,
    "4,300 digits": -(10**4300) + 1,
    "wide integers deep inside": {"a": [1, 10**40, {"b": -(10**30)}], "f": 1.0},
    "empty text": "",
    "NUL": "a\0b",
    "control characters": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "quotes and backslashes": "'\"\\/`; DROP TABLE entries; --",
    "every plane of Unicode": "".join(chr(plane << 16 | at) for plane in range(17) for at in (0x41, 0xFFFD, 0xFFFF)),
    "around the surrogates": "\ud7ff\ue000",
    "byte order mark": "\ufeffx",
    "line separators": "\u2028\u2029\r\n",
    "combining and precomposed": "e\u0301 \u00e9",
    "terminal sequences": "\x1b[31m\x1b]0;title\x07",
    "empty list": [],
    "empty object": {},
    "empty containers inside": [[], {}, [{}], {"": []}],
    "an empty member name": {"": ""},
    "odd member names": {"a.b": 1, "$gt": 2, "__proto__": 3, "value": 4, "encoding": "base64", "\0": 5, "é": 6},
    "member order": {"b": 1, "a": 2, "c": {"z": 1, "y": 2}},
    "a mixed list": [1, 1.0, True, "1", None, [1], {"1": 1}],
    "depth of 128": _DEEP,
    "a long list": list(range(5000)),
    "a long text": "memory " * 20000,
    "no bytes": b"",
    "all bytes": bytes(range(256)) * 4,
    "bytes that look like JSON": b'{"a": 1}',
    "bytes that are no UTF-8": b"\xff\xfe\xc0\x80",
}
"""One value of each kind that stores have been seen to change."""


def values() -> st.SearchStrategy[Value]:
    """Any value: JSON of every shape, or bytes."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
    inside = st.recursive(
        plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
    )
    return inside | st.binary(max_size=64)


class ValueContract(StoreBench):
    """A value is compared by its `repr`: that tells 1 from 1.0 and True, 0.0 from -0.0, and shows the member order."""

    @pytest.mark.parametrize("name", VALUES)
    def test_a_value_comes_back_exactly(self, space: Space, name: str) -> None:
        space.set("k", VALUES[name])
        assert repr(space.get("k")) == repr(VALUES[name])
        assert repr(space.entry("k").value) == repr(VALUES[name])

    def test_many_values_come_back_exactly(self, space: Space) -> None:
        space.run(p.SetMany(space.name, tuple((name, encode(value)) for name, value in VALUES.items())))
        found = space.run(p.GetMany(space.name, tuple(VALUES)))
        assert repr(found) == repr(VALUES)
        assert repr(space.contents()) == repr(dict(sorted(VALUES.items())))

    def test_a_log_gives_its_values_back_exactly(self, space: Space) -> None:
        space.append("log", *VALUES.values())
        assert repr(space.read("log")) == repr(list(VALUES.values()))

    def test_a_search_gives_values_back_exactly(self, space: Space) -> None:
        for name, value in VALUES.items():
            space.set(name, value)
        found = space.run(p.Search(space.name, limit=len(VALUES)))
        assert repr({entry.key: entry.value for entry in sorted(found, key=lambda entry: entry.key)}) == repr(
            dict(sorted(VALUES.items()))
        )

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(value=values())
    def test_any_value_comes_back_exactly(self, space: Space, value: Value) -> None:
        space.set("k", value)
        assert repr(space.get("k")) == repr(value)

    def test_a_stored_null_is_not_absence(self, space: Space) -> None:
        space.set("k", None)
        assert space.get("k") is None
        assert space.get("other") is p.MISSING
        assert space.keys() == ["k"]

    def test_every_read_gives_a_fresh_object(self, space: Space) -> None:
        value = {"tags": ["new"]}
        space.set("k", value)
        value["tags"].append("changed by the writer")
        space.get("k")["tags"].append("changed by a reader")
        space.entry("k").value["tags"].append("changed by another")
        space.entries()[0].value["tags"].append("and another")
        assert space.get("k") == {"tags": ["new"]}

    def test_a_value_at_the_limit_is_kept_and_one_over_it_is_refused(self, space: Space, store: Store) -> None:
        size = store.limits.value_bytes
        at_limit, over = Payload(BYTES, b"x" * size), Payload(BYTES, b"x" * (size + 1))
        space.run(p.Set(space.name, "k", at_limit))
        assert len(space.get("k")) == size
        small = encode(1)
        for op in (
            p.Set(space.name, "k", over),
            p.SetMany(space.name, (("k", small), ("l", over))),
            p.Append(space.name, "log", (small, over)),
            p.Transact(space.name, (p.Set(space.name, "l", small), p.Set(space.name, "k", over))),
        ):
            with pytest.raises(TooLargeError):
                space.run(op)
        assert space.keys() == ["k"]
        assert len(space.get("k")) == size
