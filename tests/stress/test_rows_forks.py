"""Forks on a file: each is one moment of its parent, outlives it, and costs the disk its record alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stress.machine import open_memory, run_child

from botwire_core.memory import Memory

KEYS = [f"key {number}" for number in range(8)]


def test_c11_a_fork_of_a_parent_that_is_being_written_shows_one_version_and_keeps_it(
    tmp_path: Path, scale: Callable[[int], int]
) -> None:
    path = tmp_path / "memory.db"
    parent = open_memory(path, "parent", durability="normal")
    parent.set_many(dict.fromkeys(KEYS, 0))
    barrier, stop = threading.Barrier(2), threading.Event()

    def write() -> None:
        memory = open_memory(path, "parent", durability="normal")
        number = 0
        barrier.wait()
        while not stop.is_set():
            number += 1
            with memory.transaction() as transaction:
                for key in KEYS:
                    transaction.set(key, number)
        memory.close()

    thread = threading.Thread(target=write)
    thread.start()
    barrier.wait()
    forks = [parent.fork("first")]
    while len(forks) < scale(1000) or forks[-1].get(KEYS[0]) < 5:  # until the writer has had its turns
        forks.append(parent.fork(f"fork-{len(forks)}"))
    first = [fork.get_many(KEYS) for fork in forks]
    stop.set()
    thread.join()
    moments = [set(values.values()) for values in first]
    assert all(len(moment) == 1 for moment in moments)
    numbers = [moment.pop() for moment in moments]
    assert numbers == sorted(numbers)
    for fork, number in zip(forks, numbers, strict=True):
        assert [entry.value for entry in fork.entries()] == [number] * len(KEYS)
    parent.close()


def test_c11_forks_made_beside_another_process_that_writes_show_one_version(tmp_path: Path) -> None:
    code = """
import os, threading
path = sys.argv[1]
keys = [f"key {number}" for number in range(8)]
memory = open_memory(path, durability="normal")
memory.set_many(dict.fromkeys(keys, 0))
gate, opened = os.pipe()
child = os.fork()
if not child:
    os.close(opened)
    number = 0
    os.set_blocking(gate, False)
    while True:
        number += 1
        memory.set_many(dict.fromkeys(keys, number))
        try:
            os.read(gate, 1)
            os._exit(0)
        except BlockingIOError:
            pass
forks = [memory.fork("first")]
while len(forks) < 100 or forks[-1].get(keys[0]) < 5:  # until the child has had its turns
    forks.append(memory.fork(f"fork-{len(forks)}"))
report([sorted(set(fork.get_many(keys).values())) for fork in forks])
os.close(opened)
os.close(gate)
os.waitpid(child, 0)
report([sorted(set(fork.get_many(keys).values())) for fork in forks])
"""
    before, after = run_child(code, tmp_path / "memory.db")
    assert all(len(values) == 1 for values in before)
    assert after == before == sorted(before)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 9), st.sampled_from("abc"), st.integers(0, 99)),
        st.tuples(st.just("delete"), st.integers(0, 9), st.sampled_from("abc")),
        st.tuples(st.just("fork"), st.integers(0, 9)),
        st.tuples(st.just("drop"), st.integers(0, 9)),
    ),
    max_size=40,
)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_c12_forks_stay_as_they_are_whoever_of_their_family_is_dropped(
    pair: tuple[Memory, Memory], steps: list[tuple[object, ...]]
) -> None:
    """Against a model that copies everything at each fork."""
    families = []
    for memory in pair:
        for left in [memory, *(Memory(f"fork{number}", store=memory.store) for number in range(60))]:
            left.drop()
        living: list[tuple[Memory, dict[str, object]]] = [(memory, {})]
        for turn, (what, which, *rest) in enumerate(steps):
            if not living:
                break
            assert isinstance(which, int)
            handle, model = living[which % len(living)]
            match what, rest:
                case "set", [str(key), value]:
                    handle.set(key, value)
                    model[key] = value
                case "delete", [str(key)]:
                    assert handle.delete(key) == (model.pop(key, None) is not None)
                case "fork", _:
                    living.append((handle.fork(f"fork{turn}"), dict(model)))
                case "drop", _:
                    handle.drop()
                    living.remove((handle, model))
            for one, expected in living:
                assert {entry.key: entry.value for entry in one.entries()} == expected
        families.append([model for _, model in living])
    assert families[0] == families[1]


@pytest.mark.parametrize("dropped", [False, True], ids=["with all ancestors", "with every ancestor dropped"])
def test_c12_a_fork_of_forks_fifty_deep_reads_right_and_in_bounded_time(tmp_path: Path, dropped: bool) -> None:
    """And of a hundred and twenty, which is more than one statement looks through."""
    memory = root = open_memory(tmp_path / "memory.db", "root", durability="normal")
    root.set_many({f"root {number:03}": number for number in range(200)})
    chain = [root]
    for depth in range(1, 121):
        memory = memory.fork(f"fork-{depth}")
        memory.set(f"own {depth:03}", depth)
        memory.set("depth", depth)
        chain.append(memory)
    for depth in (50, 120):
        deep = chain[depth]
        if dropped:
            for above in chain[:depth]:
                above.drop()
        begin = time.process_time()
        for number in range(200):
            assert deep.get(f"root {number:03}") == number
        assert time.process_time() - begin < 1
        assert deep.get("depth") == depth
        assert deep.list_keys("own") == [f"own {number:03}" for number in range(1, depth + 1)]
        assert len(deep.list_keys()) == 200 + depth + 1
        assert [entry.value for entry in deep.history("depth")] == list(range(depth, 0, -1))
    if dropped:
        assert not root.list_keys()
    assert root.store.health().integrity == "ok"
    root.close()


def disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_c13_forks_of_a_large_namespace_grow_the_disk_by_less_than_a_kilobyte_each(
    tmp_path: Path, scale: Callable[[int], int]
) -> None:
    memory = open_memory(tmp_path / "memory.db", durability="normal")
    memory.set_many({f"key {number:05}": "x" * 5000 for number in range(scale(10_000))})
    memory.close()
    before, count = disk(tmp_path), scale(10_000)
    for number in range(count):
        memory.fork(f"fork-{number}")
    memory.close()
    assert disk(tmp_path) - before < 1024 * count
    size = before // scale(10_000)
    assert size > 5000, "a copy would have shown"
    for number in (0, count // 2, count - 1):
        fork = Memory(f"fork-{number}", store=memory.store)
        assert fork.get("key 00007") == "x" * 5000
        fork.set("key 00007", number)
        assert fork.get("key 00007") == number
    assert memory.get("key 00007") == "x" * 5000
    assert memory.stats().forks == count
    memory.close()


def test_c13_a_fork_costs_the_same_after_many_others(tmp_path: Path) -> None:
    memory = open_memory(tmp_path / "memory.db", durability="normal")
    memory.set_many({f"key {number}": number for number in range(100)})

    def cost(first: int) -> float:
        begin = time.process_time()
        for number in range(first, first + 100):
            memory.fork(f"fork-{number}")
        return time.process_time() - begin

    cost(0)
    few = min(cost(100), cost(200))
    for number in range(300, 1000):
        memory.fork(f"fork-{number}")
    many = min(cost(1000), cost(1100), cost(1200))
    assert many < 4 * few
    assert isinstance(Memory("fork-1000", store=memory.store).get("key 7"), int)
    memory.close()
