"""Lists by prefix: literal, in byte order, of as many as are asked for, and steady while others write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory
from botwire_core.results import Revision

TEXT = st.text(st.sampled_from("ab%_*[]\\/.é\U0010ffff\ud7ff\ue000\u007f"), max_size=4)
QUICK = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.lists(TEXT.filter(bool), max_size=12, unique=True), TEXT, TEXT)
@QUICK
def test_k7_k8_prefixes_are_literal_and_lists_in_byte_order_in_every_store(
    each: tuple[Memory, ...], keys: list[str], prefix: str, after: str
) -> None:
    right = sorted((key for key in keys if key.startswith(prefix)), key=str.encode)
    later = [key for key in right if key.encode() > after.encode()]
    for memory in each:
        memory.drop()
        memory.set_many(dict.fromkeys(keys, 1))
        assert memory.list_keys(prefix) == right
        assert memory.list_keys(prefix, after=after, limit=2) == later[:2]
        assert [entry.key for entry in memory.entries(prefix, reverse=True)] == right[::-1]
        assert sorted(entry.key for entry in memory.search(prefix, limit=100)) == sorted(right)
        assert memory.clear(prefix) == len(right)
        assert memory.list_keys() == sorted((key for key in keys if key not in right), key=str.encode)


@pytest.mark.parametrize("limit", [-1, 1.0, 1e3, "1e3", "5", float("nan"), True, b"1", [1]])
def test_k9_a_limit_that_is_no_whole_number_is_refused(memory: Memory, limit: Any) -> None:
    memory.set_many({"a": 1, "b": 2})
    memory.append("log", 1)
    for use in (
        lambda: memory.list_keys(limit=limit),
        lambda: list(memory.entries(limit=limit)),
        lambda: memory.search(limit=limit),
        lambda: memory.search(offset=limit),
        lambda: memory.read("log", last=limit),
        lambda: memory.history("a", limit=limit),
    ):
        with pytest.raises(InvalidValueError):
            use()


def test_k9_limits_of_zero_and_beyond_everything_work(memory: Memory) -> None:
    memory.set_many({"a": 1, "b": 2})
    assert memory.list_keys(limit=0) == []
    assert list(memory.entries(limit=0)) == []
    for limit in (10**20, 10**5000):
        assert memory.list_keys(limit=limit) == ["a", "b"]
        assert len(list(memory.entries(limit=limit))) == 2
        assert len(memory.search(limit=limit)) == 2
        assert len(memory.history("a", limit=limit)) == 1


@pytest.mark.parametrize("since", [-1, 1.5, "1", 10**30, Revision(99), True])
def test_k9_a_place_to_go_on_from_that_was_never_given_is_refused(memory: Memory, since: Any) -> None:
    memory.set("a", 1)
    with pytest.raises(InvalidValueError):
        next(memory.watch(since=since, timeout=0))


@pytest.mark.parametrize("reverse", [False, True])
def test_k10_a_list_while_others_write_has_no_key_twice_and_every_key_that_stays(memory: Memory, reverse: bool) -> None:
    stable = [f"key {number:04}" for number in range(0, 2400, 2)]
    memory.set_many(dict.fromkeys(stable, 0))
    other = Memory(memory.namespace, store=memory.store)
    met = []
    for turn, entry in enumerate(memory.entries(reverse=reverse)):
        met.append(entry.key)
        if turn % 200 == 0:  # two pages of 1,000
            other.set_many({f"key {number:04}": 1 for number in range(turn * 2 + 1, turn * 2 + 61, 2)})
            other.delete_many([f"key {number:04}" for number in range(1, turn, 2)])
            other.set_many(dict.fromkeys(stable[::7], turn))
    assert met == sorted(set(met), reverse=reverse)
    assert set(stable) <= set(met)
