"""The record of what was read and written in a scope."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from botwire_core.errors import BotWireError, CommitUnknownError, ForbiddenError, ScopeError, StoreBusyError
from botwire_core.flows import run_flow
from botwire_core.memory import Memory
from botwire_core.protocol import Op
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.ops import ReadUses, RecordUses, Use
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.scope import Scope
from botwire_core.scopes.store import ScopedStore
from botwire_core.scopes.uses import UseCounter
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore


def uses(memory: Memory, name: str) -> list[Use]:
    run_flow(memory.store.inner, memory.store.mover.written_down())
    return memory.store.run(ReadUses(name))


def counts(memory: Memory, name: str) -> dict[tuple[str, str, str | None], tuple[int, int, int]]:
    return {(use.kind, use.key, use.datapoint_id): (use.count, use.hits, use.own) for use in uses(memory, name)}


def test_it_tells_what_was_read_written_and_missing(memory: Memory) -> None:
    memory.set("seeded", 1)
    with scope(variant="v", run_id="r"):
        with scope(datapoint_id="d1"):
            memory.get("seeded")
            memory.get("absent")
            memory.set("own", 1)
            memory.get("own")
        with scope(datapoint_id="d2"):
            memory.get("own")
            memory.append("log", "a", "b")
            memory.delete("seeded")
            memory.list_keys("pre")
            with memory.transaction() as tx:
                tx.increment("own")
    assert counts(memory, "support@v~r") == {
        ("read", "seeded", "d1"): (1, 1, 0),
        ("read", "absent", "d1"): (1, 0, 0),
        ("write", "own", "d1"): (1, 1, 0),
        ("read", "own", "d1"): (1, 1, 1),
        ("read", "own", "d2"): (2, 2, 2),
        ("write", "own", "d2"): (1, 1, 0),
        ("write", "log", "d2"): (1, 1, 0),
        ("delete", "seeded", "d2"): (1, 1, 0),
        ("list", "pre", "d2"): (1, 0, 0),
    }
    assert memory.store.run(ReadUses("support")) == []


def test_operations_that_lost_their_scope_are_counted_for_the_run(memory: Memory) -> None:
    def bare() -> None:
        try:
            memory.get("k")
        except ScopeError:
            pass

    for policy in ("error", "base"):
        with scope_policy(on_unscoped=policy), scope(variant="v", run_id="r"):
            thread = threading.Thread(target=bare)
            thread.start()
            thread.join()
    assert counts(memory, "support@v~r") == {("unscoped", "", None): (2, 2, 0)}


@pytest.mark.parametrize("way", ["exit", "close"])
def test_the_end_of_a_process_writes_down_what_was_counted(tmp_path: Path, way: str) -> None:
    code = (
        "import sys, botwire\n"
        f"memory = botwire.Memory('support', 'sqlite:///{tmp_path}/m.db')\n"
        "with botwire.scope(variant='v', run_id='r'):\n"
        "    memory.get('k')\n" + ("memory.close()\nimport os; os._exit(0)" if way == "close" else "")
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
    memory = Memory("support", store=SqliteStore(tmp_path / "m.db"))
    assert [(use.kind, use.key, use.count) for use in memory.store.run(ReadUses("support@v~r"))] == [("read", "k", 1)]
    memory.store.close()


def test_iterators_and_transactions_without_a_scope_are_counted_too(memory: Memory) -> None:
    def bare() -> None:
        list(memory.entries())
        with memory.transaction() as tx:
            tx.set("k", 1)
        list(memory.watch(timeout=0))

    with scope_policy(on_unscoped="base"), scope(variant="v", run_id="r"):
        thread = threading.Thread(target=bare)
        thread.start()
        thread.join()
    assert counts(memory, "support@v~r") == {("unscoped", "", None): (3, 3, 0)}


def test_an_adopted_thread_is_in_a_scope(memory: Memory) -> None:
    with scope_policy(on_unscoped="adopt"), scope(variant="v", run_id="r"):
        thread = threading.Thread(target=lambda: memory.get("k"))
        thread.start()
        thread.join()
    assert counts(memory, "support@v~r") == {("read", "k", None): (1, 0, 0)}


class CannotCount:
    """A store around a store that refuses to write counts down."""

    def __init__(self, inner: Store, error: BotWireError) -> None:
        self.inner = inner
        self.error: BotWireError | None = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def run(self, op: Op[Any]) -> Any:
        if isinstance(op, RecordUses) and self.error is not None:
            raise self.error
        return self.inner.run(op)


@pytest.mark.parametrize(
    ("error", "kept"), [(StoreBusyError("busy"), 2), (CommitUnknownError("unknown"), 1), (ForbiddenError("no"), 1)]
)
def test_a_write_is_done_also_when_counts_cannot_be_written_down(
    error: BotWireError, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botwire_core.scopes.uses.FLUSH_EVERY", 0.0)
    store = CannotCount(DictStore(), error)
    memory = Memory("support", store=store)
    with scope(variant="v", run_id="r"):
        assert memory.set("k", 1) == 1
        store.error = None
        assert memory.set("k", 2) == 2
    assert sum(use.count for use in uses(memory, "support@v~r")) == kept


def test_a_store_that_cannot_write_counts_down_is_closed_all_the_same(tmp_path: Path) -> None:
    inner = SqliteStore(tmp_path / "m.db")
    memory = Memory("support", store=CannotCount(inner, ForbiddenError("no")))
    with scope(variant="v", run_id="r"):
        memory.set("k", 1)
    memory.store.close()
    assert not (tmp_path / "m.db-wal").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork a process")
def test_what_was_counted_before_a_fork_of_the_process_is_counted_once(tmp_path: Path) -> None:
    code = (
        "import os, botwire\n"
        f"memory = botwire.Memory('support', 'sqlite:///{tmp_path}/m.db')\n"
        "with botwire.scope(variant='v', run_id='r'):\n"
        "    memory.get('k')\n"
        "    child = os.fork()\n"
        "    memory.get('of the child' if child == 0 else 'of the parent')\n"
        "memory.close()\n"
        "if child == 0: os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env={**os.environ})
    memory = Memory("support", store=SqliteStore(tmp_path / "m.db"))
    found = sorted((use.key, use.count) for use in memory.store.run(ReadUses("support@v~r")))
    assert found == [("k", 1), ("of the child", 1), ("of the parent", 1)]
    memory.store.close()


def test_what_is_remembered_of_writes_has_an_end(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botwire_core.scopes.uses._MOST_NAMESPACES", 2)
    monkeypatch.setattr("botwire_core.scopes.uses._MOST_KEYS", 1)
    counter = UseCounter()
    for namespace in ("a", "b", "c"):
        for key in ("one", "two"):
            counter.count("base", namespace, Scope(run_id="r"), ((key, "write", True), (key, "read", True)))
    counter.count("base", "a", Scope(run_id="r"), (("one", "read", True),))
    own = {(use.namespace, use.key): use.own for use in counter.take()["base"] if use.kind == "read"}
    assert own == {("a", "one"): 1, ("b", "one"): 1, ("c", "one"): 1, ("a", "two"): 0, ("b", "two"): 0, ("c", "two"): 0}
    assert len(counter._written) == 2


def test_threads_that_begin_together_count_in_one_place() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            store = ScopedStore(DictStore())
            with ThreadPoolExecutor(4) as pool:
                together = threading.Barrier(4)
                found = list(pool.map(lambda _, one=store, start=together: (start.wait(), one.mover)[1], range(4)))
            assert len(set(map(id, found))) == 1
    finally:
        sys.setswitchinterval(before)
