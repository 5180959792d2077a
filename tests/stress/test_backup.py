"""D19: a backup that is taken while others write is of one moment, and comes back whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from botwire_core.memory import Memory
from botwire_core.stores.sqlite import SqliteStore

KEYS = [f"pair/{number:02}" for number in range(20)]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory("base", f"sqlite:///{tmp_path}/memory.db?durability=normal")
    memory.set_many(dict.fromkeys(KEYS, 0))
    yield memory
    memory.close()


@contextmanager
def busy(memory: Memory, minimum: int = 50) -> Iterator[Callable[[], int]]:
    """Writers that go on for as long as the block does: each turn sets all keys to one number, and tells it a log."""
    begun, ended, failures = threading.Event(), threading.Event(), []
    turns = 0

    def write() -> None:
        nonlocal turns
        try:
            fork = memory.fork("fork")
            while not ended.is_set() or turns < minimum:
                turns += 1
                with memory.transaction() as together:
                    for key in KEYS:
                        together.set(key, turns)
                    together.append("log", turns)
                fork.increment("turns")
                begun.set()
                if turns % 10 == 0:
                    memory.snapshot(f"turn {turns}")
                    memory.set("comes and goes", turns)
                elif turns % 10 == 5:
                    memory.delete("comes and goes")
        except Exception as error:
            failures.append(error)
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    try:
        yield lambda: turns
    finally:
        ended.set()
        writer.join()
    assert not failures, failures


def check(copy: Memory) -> int:
    """That everything in a restored memory is of one moment, now and in its past; gives the turn that it shows."""
    (turn,) = set(copy.get_many(KEYS).values())
    assert copy.read("log") == list(range(1, turn + 1))
    for snapshot in copy.snapshots():
        then = copy.at(snapshot.number)
        assert f"turn {then.get(KEYS[0])}" == snapshot.label
        assert len(set(then.get_many(KEYS).values())) == 1
        assert then.read("log") == list(range(1, then.get(KEYS[0]) + 1))
    store = copy.store
    assert isinstance(store.inner, SqliteStore)
    assert store.health().integrity == "ok"
    return int(turn)


def test_d19_a_full_backup_under_load_is_of_one_moment_and_comes_back_whole(
    memory: Memory, tmp_path: Path, scale: Callable[[int], int]
) -> None:
    told = []
    with busy(memory) as turns:
        for number in range(scale(50)):
            before = turns()
            memory.export(tmp_path / f"{number}.jsonl", full=True)
            told.append((before, turns()))
    assert told[0][0] < told[-1][1], "nobody wrote meanwhile"
    for number, (before, after) in enumerate(told):
        with Memory("base", f"sqlite:///{tmp_path}/restored-{number}.db?durability=normal") as copy:
            copy.import_(tmp_path / f"{number}.jsonl")
            assert before - 1 <= check(copy) <= after
            copy.export(tmp_path / "again.jsonl", full=True)
        assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / f"{number}.jsonl").read_bytes()


def test_d19_a_plain_export_under_load_is_of_one_moment(
    memory: Memory, tmp_path: Path, scale: Callable[[int], int]
) -> None:
    with busy(memory):
        for number in range(scale(100)):
            memory.export(tmp_path / f"{number}.jsonl")
    shown = set()
    for number in range(scale(100)):
        with Memory("copy", "memory:") as copy:
            copy.drop()
            copy.import_(tmp_path / f"{number}.jsonl")
            (turn,) = set(copy.get_many(KEYS).values())
            assert copy.read("log") == list(range(1, turn + 1))
            shown.add(turn)
    assert len(shown) > 1, "nobody wrote meanwhile"


def test_d19_control_a_copy_made_key_by_key_is_a_mixture(memory: Memory) -> None:
    def mixed() -> bool:
        return len({memory.get(key) for key in KEYS}) > 1

    with busy(memory):
        assert any(mixed() for _ in range(10_000))
