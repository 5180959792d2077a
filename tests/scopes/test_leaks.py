"""Looking for what leaks from one datapoint into another."""

from __future__ import annotations

from botwire_core.memory import Memory
from botwire_core.protocol import ListNamespaces
from botwire_core.scopes.leaks import ORDERS, find_leaks
from botwire_core.scopes.upkeep import scoped_namespaces


def test_a_task_that_keeps_its_datapoints_apart_leaks_nothing(memory: Memory) -> None:
    def task(point: dict[str, str]) -> None:
        memory.set(f"asked/{point['user']}", point["user"])
        assert memory.get("seed") == 1

    memory.set("seed", 1)
    assert find_leaks(task, [{"user": name} for name in "abcdef"], memory) == []


def test_a_key_whose_end_depends_on_the_order_is_named_with_its_values(memory: Memory) -> None:
    def task(point: int) -> None:
        memory.set("last", point)
        memory.increment("count")
        memory.set(f"own/{point}", memory.get("seed"))

    memory.set("seed", 1)
    before = memory.store.run(ListNamespaces())
    count, last = find_leaks(task, list(range(8)), memory, workers=2)
    assert (count.key, count.differs, set(count.values.values())) == ("count", False, {8})
    assert (last.key, last.differs) == ("last", True)
    assert list(last.values) == list(ORDERS)
    assert last.values["serial"] == 7
    assert len(last.datapoints) == 8
    assert memory.keys() == ["seed"]
    assert scoped_namespaces(memory.store) == []
    assert memory.store.run(ListNamespaces()) == before


def test_a_task_that_never_remembers_leaks_nothing(memory: Memory) -> None:
    assert find_leaks(lambda point: None, [1, 2], memory) == []


def test_nothing_is_left_of_other_memories_that_the_task_used(memory: Memory) -> None:
    other = Memory("other", store=memory.store)

    def task(number: int) -> None:
        memory.set(f"seen/{number}", number)
        other.set(f"seen/{number}", number)

    assert find_leaks(task, [1, 2], memory) == []
    assert scoped_namespaces(memory.store) == []
