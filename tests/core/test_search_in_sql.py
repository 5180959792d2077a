"""What SQLite leaves out of a search is what the conditions leave out, for every value, place and order."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botwire_core.matching import compile_where
from botwire_core.memory import Memory
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock

NAMES = ["a", "b", "c.d", 'q"x', "é", "a-b", "c"]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 1.0, -0.0, 0.1, 0.1 + 0.2, 0.3, 1e300, 2**63, 2**70, -5, 9007199254740993),
    *("", "x", "y'", "é", "\0z", "10", "\ud7ff", [1], {"d": 1}, {"d": {"e": "x"}}, [], {}),
]


def condition(draw: random.Random) -> Any:
    value = draw.choice(VALUES)
    operator = draw.choice(["", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in"])
    if not operator:
        return value
    if operator == "$in":
        return {"$in": [value, draw.choice(VALUES)]}
    if operator in ("$eq", "$ne"):
        return {operator: value}
    return {operator: draw.choice([0, 0.3, -5, 2**63, "", "x", 1e300])}


def write_some(memory: Memory, clock: ManualClock, draw: random.Random) -> None:
    clock.advance(draw.choice([0, 0, 0.000001, 1]))
    key = f"{draw.choice(['p/', 'q/'])}{draw.randrange(40)}"
    value = {name: draw.choice(VALUES) for name in draw.sample(NAMES, draw.randrange(1, 5))}
    match draw.randrange(8):
        case 0:
            memory.delete(key)
        case 1:
            memory.set(key, draw.choice([b"\x00abc", [1], "text", None]), ttl=draw.choice([None, 5]))
        case 2:
            memory.set_many({f"p/{draw.randrange(40)}": {"a": draw.choice(VALUES)} for _ in range(5)})
        case _:
            memory.set(key, value, ttl=draw.choice([None, None, 3, 1000]))


@pytest.mark.parametrize("prefix", ["", "p/", "p/1", "q/", "zz"])
def test_a_search_gives_what_its_conditions_say(
    prefix: str, tmp_path: Path, clock: ManualClock, scale: Callable[[int], int]
) -> None:
    memory = Memory("searched", store=SqliteStore(tmp_path / "memory.db", durability="normal", clock=clock))
    draw = random.Random(prefix)
    met = 0
    for number in range(scale(2000)):
        write_some(memory, clock, draw)
        if number % 4:
            continue
        where = {name: condition(draw) for name in draw.sample([*NAMES, "c.d.e"], draw.randrange(3))}
        matches = compile_where(where)
        right = [entry for entry in memory.entries(prefix) if matches(entry.value)]
        right.sort(key=lambda entry: entry.updated_at, reverse=True)
        found = memory.search(prefix, where=where, limit=1000)
        assert found == right
        assert memory.search(prefix, where=where, limit=3, offset=2) == right[2:5]
        met += len(right)
    assert met > 0 or prefix == "zz"


def test_the_newest_of_many_come_first_without_conditions(tmp_path: Path, clock: ManualClock) -> None:
    memory = Memory("searched", store=SqliteStore(tmp_path / "memory.db", durability="normal", clock=clock))
    for number in range(300):
        clock.advance(0 if number % 100 else 1)
        memory.set(f"key/{number % 150:03}", {"number": number})
    right = sorted(memory.entries(), key=lambda entry: entry.updated_at, reverse=True)
    for limit, offset in ((1, 0), (10, 45), (60, 45), (1000, 0)):
        assert memory.search("key/", limit=limit, offset=offset) == right[offset : offset + limit]


def test_a_key_with_many_versions_is_found_by_its_newest_alone(tmp_path: Path) -> None:
    memory = Memory("searched", store=SqliteStore(tmp_path / "memory.db", durability="normal"))
    for number in range(60):
        memory.set_many({f"k{key}": {"round": number, "key": key} for key in range(5)})
    assert memory.search(where={"round": {"$lt": 59}}) == []
    assert [entry.key for entry in memory.search(where={"round": 59, "key": {"$gte": 3}})] == ["k3", "k4"]
