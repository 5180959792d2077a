"""Evaluations of the size that people run: nothing leaks, nothing stays, and the memory itself stays as quick."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from botwire_core.memory import Memory
from botwire_core.protocol import ListNamespaces
from botwire_core.scopes.blocks import bind, scope
from botwire_core.scopes.naming import Isolation
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.upkeep import collect, scoped_namespaces
from botwire_core.stores.sqlite import SqliteStore


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    store = SqliteStore(tmp_path / "m.db", durability="normal")
    yield Memory("support", store=store)
    store.close()


def exported(memory: Memory) -> bytes:
    file = io.BytesIO()
    memory.export(file)
    return file.getvalue()


@pytest.mark.parametrize("isolation", ["version", "run", "datapoint"])
@pytest.mark.parametrize("workers", [1, 8])
def test_an_evaluation_with_many_workers_leaks_no_key(
    memory: Memory, isolation: Isolation, workers: int, scale: Callable[[int], int]
) -> None:
    memory.set_many({f"seed/{number}": number for number in range(20)})
    before = exported(memory)
    points = [f"d{number}" for number in range(scale(50))]

    def answer(variant: str, point: str) -> None:
        assert memory.get("seed/3") == 3
        for key in memory.list_keys("answer/"):
            owner = memory.get(key)["variant"]
            assert owner == variant, f"{variant} sees {key} of {owner}"
        if isolation == "datapoint":
            assert memory.list_keys("answer/") == []
        memory.set(f"answer/{point}", {"variant": variant})
        memory.append("log", variant)
        assert set(memory.read("log")) == {variant}

    with scope_policy(isolation=isolation), ThreadPoolExecutor(workers) as pool:
        for variant in ("v1", "v2"):
            with scope(variant=variant, run_id=f"r-{variant}", experiment="e"):
                waiting = []
                for point in points:
                    with scope(datapoint_id=point):
                        waiting.append(pool.submit(bind(answer), variant, point))
                for one in waiting:
                    one.result()
    assert exported(memory) == before
    made = scoped_namespaces(memory.store, "support")
    assert len(made) == (2 * len(points) if isolation == "datapoint" else 2)
    assert len({(one.pin, one.seed, one.seed_revision) for one in made}) == 1
    for place in made:
        answers = Memory(place.name, store=memory.store).list_keys("answer/")
        assert len(answers) == (1 if isolation == "datapoint" else len(points))


def test_many_datapoints_variants_and_trials_leave_nothing_behind(memory: Memory, scale: Callable[[int], int]) -> None:
    memory.set_many({f"key/{number}": number for number in range(1000)})
    namespaces = memory.store.run(ListNamespaces())

    def quickest_get() -> float:
        samples = []
        for _ in range(300):
            start = time.perf_counter()
            memory.get("key/500")
            samples.append(time.perf_counter() - start)
        return statistics.median(samples)

    before = exported(memory), memory.stats().revision
    fresh = min(quickest_get() for _ in range(5))
    count = 0
    with scope_policy(isolation="datapoint"):
        for variant in range(20):
            for point in range(scale(100)):
                for trial in range(3):
                    with scope(variant=f"v{variant}", run_id="r", datapoint_id=f"d{point}", trial=trial):
                        memory.set("key/500", variant)
                        count += 1
    assert len(scoped_namespaces(memory.store, "support")) == count
    crowded = min(quickest_get() for _ in range(5))
    assert len(collect(memory.store, "support")) == count
    assert memory.store.run(ListNamespaces()) == namespaces
    assert (exported(memory), memory.stats().revision) == before
    assert memory.snapshots() == []
    cleared = min(quickest_get() for _ in range(5))
    assert crowded < fresh * 2, (fresh, crowded)
    assert cleared < fresh * 2, (fresh, cleared)
