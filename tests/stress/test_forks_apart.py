"""Forks stay apart under load; C11 to C13: forks of what is being written, of forks, and many of them."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stress import forks
from stress.crowd import run_in_processes

from botwire_core.memory import Memory

THREADS = 50


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/memory.db?durability=normal"


@pytest.fixture
def base(url: str) -> Memory:
    memory = Memory("base", url)
    memory.set_many({f"key/{number}": {"of": "base", "number": number} for number in range(0, forks.KEYS, 2)})
    memory.append("log", *range(5))
    return memory


def exported(memory: Memory) -> bytes:
    file = io.BytesIO()
    memory.export(file)
    return file.getvalue()


def test_the_canaries_are_found_where_they_are() -> None:
    assert forks.strange({"a": [1, {"b": forks.canary("ada")}], forks.canary("bob"): None}, "bob") == [
        forks.canary("ada")
    ]
    assert forks.strange(["base", forks.canary("bob")], "bob") == []


def in_threads(memories: list[Memory], count: int) -> list[list[str]]:
    """Let one agent work in each memory at once; what each saw that was not its own."""
    barrier = threading.Barrier(len(memories))
    leaks: list[list[str]] = [["it failed"] for _ in memories]

    def agent(number: int) -> None:
        barrier.wait(60)
        leaks[number] = forks.work(memories[number], f"agent {number}", count)

    threads = [threading.Thread(target=agent, args=(number,)) for number in range(len(memories))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return leaks


def test_fifty_threads_in_forks_of_one_base_see_nothing_of_each_other(
    base: Memory, scale: Callable[[int], int]
) -> None:
    before, revision = exported(base), base.snapshot().number
    variants = [base.fork(f"base@{number}") for number in range(THREADS)]
    began = time.perf_counter()
    assert in_threads(variants, scale(1000)) == [[]] * THREADS
    print(f"{THREADS * scale(1000)} ops in {THREADS} forks in {time.perf_counter() - began:.1f} s")
    assert exported(base) == before
    since = base.at(revision).diff(base)
    assert not (since.added or since.removed or since.changed)
    for number, variant in enumerate(variants):
        text = exported(variant).decode()
        assert forks.canary(f"agent {number}") in text
        assert text.count("<canary of ") == text.count(forks.canary(f"agent {number}"))


def test_control_threads_that_share_one_namespace_see_each_other(base: Memory) -> None:
    before = exported(base)
    leaks = in_threads([base] * 8, 50)
    assert any(forks.strange(found, f"agent {number}") for number, found in enumerate(leaks))
    assert exported(base) != before


def test_eight_processes_in_forks_of_one_base_see_nothing_of_each_other(
    url: str, base: Memory, scale: Callable[[int], int]
) -> None:
    before = exported(base)
    names = [f"process-{number}" for number in range(8)]
    assert run_in_processes(forks.work_in_a_fork, [(url, name, scale(2500)) for name in names]) == [[]] * 8
    assert exported(base) == before
    for name in names:
        text = exported(Memory(f"base@{name}", url)).decode()
        assert forks.canary(name) in text
        assert text.count("<canary of ") == text.count(forks.canary(name))


def test_control_processes_that_share_one_namespace_see_each_other(url: str, base: Memory) -> None:
    assert any(run_in_processes(forks.work_in_the_same, [(url, f"process-{number}", 50) for number in range(4)]))


# --- C11 to C13 ----------------------------------------------------------------------------------------------------


def test_c11_a_fork_of_a_namespace_that_is_being_written_shows_one_moment_of_it(
    url: str, scale: Callable[[int], int]
) -> None:
    Memory("parent", url).set_many({"left": 0, "right": 0})
    count = scale(1000)
    run_in_processes(forks.write_or_fork, [(url, part, count) for part in ("write", "fork")])
    moments = []
    for number in range(count):
        fork = Memory(f"fork-{number}", url)
        found = fork.get_many(["left", "right"])
        assert found["left"] == found["right"]
        assert fork.read("log") == list(range(1, found["left"] + 1))
        moments.append(found["left"])
    assert moments == sorted(moments)
    assert len(set(moments)) > count // 20, "too little was written meanwhile"


def test_c11_control_a_copy_key_by_key_shows_a_mixture(url: str) -> None:
    Memory("parent", url).set_many({"left": 0, "right": 0})
    _, copies = run_in_processes(forks.write_or_fork, [(url, part, 2000) for part in ("write", "copy")])
    assert any(left != right for left, right in copies)


def test_c12_a_fork_of_a_fork_fifty_deep_stays_as_it_is_when_all_before_it_are_dropped(url: str) -> None:
    depth = 50
    chain = [Memory("root", url)]
    chain[0].set_many({f"key/{number}": number for number in range(100)})
    for level in range(1, depth + 1):
        chain.append(chain[-1].fork(f"level-{level}"))
        chain[-1].set(f"of/{level}", level)
        chain[-1].set("key/0", level)
    last = chain[-1]
    before = exported(last)
    expected = {f"key/{number}": number for number in range(1, 100)} | {"key/0": depth}
    expected |= {f"of/{level}": level for level in range(1, depth + 1)}
    for memory in [chain[25], *chain[:25], *reversed(chain[26:-1])]:
        assert memory.drop()
        assert exported(last) == before
    assert {entry.key: entry.value for entry in last.entries()} == expected
    assert Memory("root", url).list_keys() == []


def test_c12_a_get_fifty_forks_deep_takes_a_bounded_time(url: str) -> None:
    root = deep = Memory("root", url)
    root.set("key", "value")
    for level in range(50):
        deep = deep.fork(f"level-{level}")

    def fastest(memory: Memory) -> float:
        times = []
        for _ in range(200):
            began = time.perf_counter()
            assert memory.get("key") == "value"
            times.append(time.perf_counter() - began)
        return min(times)

    # A look at every level would be fifty gets; a statement for each group of levels is far less.
    assert fastest(deep) < 25 * fastest(root)


def test_c13_many_forks_of_a_large_namespace_cost_disk_by_the_fork_and_not_by_its_size(
    tmp_path: Path, url: str, scale: Callable[[int], int]
) -> None:
    size, count = scale(50_000_000), scale(10_000)
    memory = Memory("large", url)
    for start in range(0, size, 1_000_000):
        memory.set_many({f"key/{start + part}": "x" * 100_000 for part in range(0, 1_000_000, 100_000)})
    memory.close()
    file = tmp_path / "memory.db"
    before = file.stat().st_size
    assert before > size
    began = time.perf_counter()
    variants = [memory.fork(f"variant-{number}") for number in range(count)]
    seconds = time.perf_counter() - began
    memory.close()
    each = (file.stat().st_size - before) / count
    print(f"{count} forks of {size / 1e6:.0f} MB: {each:.0f} bytes and {seconds / count * 1000:.2f} ms each")
    assert each < 1000
    assert variants[-1].get("key/0") == variants[0].get("key/0") == "x" * 100_000


def test_c13_control_copies_cost_disk_by_their_size(tmp_path: Path, url: str) -> None:
    memory = Memory("large", url)
    memory.set("key", "x" * 100_000)
    memory.close()
    before = (tmp_path / "memory.db").stat().st_size
    for number in range(10):
        Memory(f"copy-{number}", url).set("key", memory.get("key"))
    memory.close()
    assert ((tmp_path / "memory.db").stat().st_size - before) / 10 > 100_000
