"""What may be stored: everything that can come back exactly, in a file as in memory, and nothing else."""

from __future__ import annotations

import math
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from stress.kept import check_kept, check_refused
from stress.machine import open_memory

from botwire_core.errors import InvalidValueError, TooLargeError
from botwire_core.memory import Memory

MAX_BYTES = 16 * 1024 * 1024
LONE = "\ud800"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, float("1e400"), float("-1e400")])
def test_j1_j2_nan_and_infinities_are_refused(memory: Memory, number: float) -> None:
    check_refused(memory, number, "is not JSON")


def test_j1_an_increment_never_stores_an_infinity(memory: Memory) -> None:
    memory.set("number", 1.7e308)
    for by in (1.7e308, math.inf, math.nan, 10**400):
        with pytest.raises(InvalidValueError):
            memory.increment("number", by)
    assert memory.get("number") == 1.7e308


WIDE = [2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, 10**40, 10**4300 - 2]


@pytest.mark.parametrize("number", [*WIDE, *(-number for number in WIDE)], ids=lambda number: hex(number)[:9])
def test_j3_integers_of_any_size_come_back_exactly(memory: Memory, number: int) -> None:
    check_kept(memory, number)
    check_kept(memory, {"deep": [number, 0.5, {"deeper": number}]})
    assert memory.increment("key2", number) == number
    assert memory.increment("key2", 1) == number + 1


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("digits", [4301, 5000, 50_000])
def test_j4_integers_of_more_digits_than_python_reads_are_refused(memory: Memory, digits: int, sign: int) -> None:
    check_refused(memory, sign * 10 ** (digits - 1), "4,300 digits")
    with pytest.raises(InvalidValueError):
        memory.increment("number", sign * 10 ** (digits - 1))


def test_j4_an_increment_beyond_the_limit_is_refused(memory: Memory) -> None:
    memory.set("number", 10**4300 - 1)
    with pytest.raises(InvalidValueError):
        memory.increment("number")
    assert memory.get("number") == 10**4300 - 1


@pytest.mark.parametrize("number", [-0.0, 0.0, 0.1, 1.0, 1, 0, True, 5e-324, 1.7976931348623157e308, 1e22, 1e16, 0.3])
def test_j5_floats_and_integers_keep_their_type_and_every_bit(memory: Memory, number: float) -> None:
    check_kept(memory, number)
    check_kept(memory, [number, {"n": number}])


@pytest.mark.parametrize("text", [LONE, "\udfff", f"a{LONE}", "\udc80abc", "\ude00\ud83d"])
def test_j7_half_a_surrogate_pair_is_refused(memory: Memory, text: str) -> None:
    check_refused(memory, text, "surrogate pair")
    check_refused(memory, {text: 1}, "surrogate pair")


@pytest.mark.parametrize("text", ["\0", "a\0b", "\0" * 100, "\ufeff", "\ufffe", "\x7f", "\u2028", "😀", "\x00\x1f"])
def test_j8_nul_and_control_characters_come_back(memory: Memory, text: str) -> None:
    check_kept(memory, text)
    check_kept(memory, {text: [text]})
    check_kept(memory, text.encode())


def nested(depth: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "list" else {"k": value}
    return value


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_j9_nesting_is_kept_to_128_levels_and_refused_beyond_without_recursion(memory: Memory, kind: str) -> None:
    check_kept(memory, nested(128, kind))
    for depth in (129, 1000, 100_000):
        value = nested(depth, kind)
        begin = time.process_time()
        with pytest.raises(InvalidValueError, match="nested more than 128"):
            memory.set("deep", value)
        assert time.process_time() - begin < 0.05
        while type(value) in (list, dict):  # or its end, one frame for each level, would overflow the stack
            value = value[0] if type(value) is list else value["k"]
    assert "deep" not in memory


@pytest.mark.parametrize(
    "value", [[[1] for _ in range(300_000)], {f"{n:x}": n for n in range(150_000)}, nested(100, "list")]
)
def test_j11_a_megabyte_of_small_parts_is_quick_and_takes_bounded_memory(tmp_path: Path, value: Any) -> None:
    memory = open_memory(tmp_path / "memory.db")

    def seconds() -> float:
        begin = time.process_time()
        memory.set("key", value)
        assert memory.get("key") == value
        return time.process_time() - begin

    # The best of some: on a machine that is busy, the same work takes the processor longer.
    assert min(seconds() for _ in range(3)) < 1
    tracemalloc.start()
    memory.set("key", value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    memory.close()
    assert peak < 5 * MAX_BYTES  # orjson reserves much more than it fills


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_j16_the_limit_is_in_bytes_of_utf8_and_exact(tmp_path: Path, character: str) -> None:
    memory = open_memory(tmp_path / "memory.db")
    size = len(character.encode())
    room = MAX_BYTES - 2  # the quotes
    text = character * (room // size) + "x" * (room % size)
    memory.set("key", text)
    assert memory.get("key") == text
    with pytest.raises(TooLargeError, match="16,777,217"):
        memory.set("key", text + "x")
    memory.set("bytes", bytes(MAX_BYTES))
    assert len(memory.get("bytes")) == MAX_BYTES
    with pytest.raises(TooLargeError):
        memory.set("bytes", bytes(MAX_BYTES + 1))
    with pytest.raises(TooLargeError):
        memory.append("log", 1, text + "x")
    assert memory.list_keys() == ["bytes", "key"]
    memory.close()
