"""What only looks like a value is refused when it is written, and text that means something elsewhere stays data."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections import OrderedDict, UserDict, defaultdict, namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stress.kept import check_kept, check_refused, same

from botwire_core.errors import BotWireError, InvalidValueError
from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore


class Color(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Mapping(dict):  # type: ignore[type-arg]
    pass


class Hostile:
    """Tries to run code wherever somebody looks at it."""

    touched = 0

    def __getattr__(self, name: str) -> Any:
        type(self).touched += 1
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("iter")

    def __repr__(self) -> str:
        raise RuntimeError("repr")


Point = namedtuple("Point", "x y")
NOT_JSON = {
    "set": {1, 2},
    "frozenset": frozenset({1}),
    "tuple": (1, 2),
    "empty tuple": (),
    "named tuple": Point(1, 2),
    "datetime": datetime.datetime(2026, 1, 1),
    "date": datetime.date(2026, 1, 1),
    "time": datetime.time(1),
    "timedelta": datetime.timedelta(1),
    "uuid": uuid.UUID(int=1),
    "decimal": decimal.Decimal("1.1"),
    "complex": 1j,
    "bytearray": bytearray(b"x"),
    "memoryview": memoryview(b"x"),
    "enum": Color.RED,
    "int enum": Number.ONE,
    "str subclass": Text("x"),
    "int subclass": Whole(1),
    "dict subclass": Mapping(a=1),
    "ordered dict": OrderedDict(a=1),
    "defaultdict": defaultdict(list),
    "user dict": UserDict(a=1),
    "integer member name": {1: "x"},
    "None member name": {None: "x"},
    "bool member name": {True: "x"},
    "tuple member name": {(1,): "x"},
    "str subclass as member name": {Text("x"): 1},
    "range": range(3),
    "generator": (n for n in "ab"),
    "function": len,
    "class": dict,
    "ellipsis": ...,
    "object": object(),
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_j14_j15_what_is_not_json_is_refused_when_it_is_written(memory: Memory, name: str) -> None:
    check_refused(memory, NOT_JSON[name])


@pytest.mark.parametrize("value", [b"", b"\0\xff\xfe", bytes(range(256)), b'{"json": 1}', b"null"])
def test_j14_bytes_come_back_as_bytes(memory: Memory, value: bytes) -> None:
    check_kept(memory, value)
    for inside in ([value], {"k": value}):
        with pytest.raises(InvalidValueError, match="bytes can be a whole value"):
            memory.set("inside", inside)


def test_j15_values_that_contain_themselves_are_refused(memory: Memory) -> None:
    one: list[Any] = []
    one.append(one)
    other: dict[str, Any] = {}
    other["k"] = [{"deeper": other}]
    wide: list[Any] = [[1] for _ in range(50)]
    wide.append([wide])
    for value in (one, other, wide):
        check_refused(memory, value, "contains itself")
        value.clear()
    shared = [1, 2]
    check_kept(memory, {"a": shared, "b": shared, "c": [shared, shared]})  # twice the same is no cycle


def test_j15_an_object_that_runs_code_when_it_is_looked_at_is_refused(memory: Memory) -> None:
    for value in ([Hostile()], {"k": Hostile()}):
        with pytest.raises(InvalidValueError):
            memory.set("key", value)
    assert "key" not in memory


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(st.characters(categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NOT_QUITE = st.binary() | st.tuples(JSON_VALUES) | st.sets(st.integers()) | st.integers(10**4299, 10**4301)


@given(JSON_VALUES | NOT_QUITE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_j17_what_one_store_accepts_every_store_accepts_and_gives_back(each: tuple[Memory, ...], value: Any) -> None:
    outcomes = []
    for memory in each:
        try:
            memory.set("key", value)
        except BotWireError as error:
            outcomes.append((type(error), str(error)))
        else:
            assert same(memory.get("key"), value)
            outcomes.append((type(None), ""))
    assert len(set(outcomes)) == 1


TRAPS = [
    "<script>alert(1)</script>",
    "\x1b[2J\x1b]0;owned\x07",
    "=cmd|' /C calc'!A0",
    "a\r\nX-Header: 1",
    "%s%n{0}",
    "${x}",
]


@pytest.mark.parametrize("text", TRAPS)
def test_j18_text_that_means_something_elsewhere_stays_data(memory: Memory, tmp_path: Path, text: str) -> None:
    check_kept(memory, text)
    check_kept(memory, {text: text})
    memory.set(text, text)
    assert text in memory.list_keys()
    target = tmp_path / "export.jsonl"
    memory.export(target)
    lines = target.read_bytes().split(b"\n")
    assert len(lines) == len(memory.list_keys()) + 1
    assert b"\x1b" not in target.read_bytes()
    other = Memory("copy", store=DictStore())
    other.import_(target)
    assert other.get(text) == text
    assert text not in repr(memory)
