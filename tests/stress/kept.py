"""What it means that a value is kept exactly, and that it is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore

__all__ = ["check_kept", "check_refused", "same"]


def same(one: Any, other: Any) -> bool:
    """Equal in value and in every type, the sign of zeros and the order of members too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


def check_kept(memory: Memory, value: Any) -> None:
    """A value comes back the same by every way of reading, and from a file that is opened anew."""
    memory.set("key", value)
    memory.set_many({"many": value})
    (row,) = memory.append("log", value)
    if isinstance(memory.store.inner, DictStore):
        pass  # it lives and dies with this object
    else:
        memory.close()
    for key in ("key", "many", row):
        assert same(memory.get(key), value)
    entry = memory.entry("key")
    assert entry is not None
    assert same(entry.value, value)
    assert same(memory.get_many(["key"])["key"], value)
    assert same(memory.read("log")[-1], value)
    assert same(memory.history("key")[0].value, value)
    assert [one.key for one in memory.entries() if one.key in ("key", "many", row) and same(one.value, value)] == [
        "key",
        row,
        "many",
    ]


def check_refused(memory: Memory, value: Any, match: str = "value") -> None:
    """A value is refused at every way of writing, when it is written; what stood there stays."""
    memory.set("there", 1)
    revision = memory.stats().revision
    for write in (
        lambda: memory.set("key", value),
        lambda: memory.set("there", {"inside": [value]}),
        lambda: memory.set_many({"fine": 1, "key": value}),
        lambda: memory.append("log", 1, value),
    ):
        with pytest.raises(InvalidValueError, match=match):
            write()
    with pytest.raises(InvalidValueError), memory.transaction() as transaction:
        transaction.set("fine", 1)
        transaction.set("key", value)
    assert memory.stats().revision == revision
    assert memory.list_keys() == ["there"]
    assert memory.get("there") == 1
