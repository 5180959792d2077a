"""How long the memories of experiments live, and what they start from for as long as somebody compares with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import time

import pytest

from botwire_core.errors import ScopeError
from botwire_core.memory import Memory
from botwire_core.protocol import ListNamespaces
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.ops import ListScoped, ReadUses, RecordUses, Use
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.upkeep import collect
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock


def names(memory: Memory) -> list[str]:
    return [one.name for one in memory.store.run(ListNamespaces())]


def test_what_was_dropped_in_a_scope_is_empty_there_and_expires_all_the_same(
    memory: Memory, clock: ManualClock
) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1"), scope_policy(expires_after=3600):
        memory.drop()
        memory.set("other", 1)
        assert memory.keys() == ["other"]
    assert names(memory) == ["support", "support@v1~r1"]
    clock.advance(3601)
    assert names(memory) == ["support"]


def test_a_scope_goes_on_from_its_seed_when_its_memory_has_expired() -> None:
    clock = ManualClock(time())  # of this machine: it is told how long a name can be relied on
    memory = Memory("support", store=DictStore(clock=clock))
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1"), scope_policy(expires_after=0.000_001):
        memory.set("tone", "brief")
        clock.advance(1)
        assert memory.get("tone") == "formal"
        memory.set("tone", "long")
        clock.advance(1)
    assert names(memory) == ["support"]


def test_a_scope_goes_on_from_its_seed_when_its_memory_was_cleared_away(memory: Memory) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1"):
        memory.set("tone", "brief")
        assert collect(memory.store) == ["support@v1~r1"]
        assert memory.get("tone") == "formal"
        memory.set("tone", "long")
    assert [one.name for one in memory.store.run(ListScoped("support"))] == ["support@v1~r1"]
    assert collect(memory.store) == ["support@v1~r1"]
    assert names(memory) == ["support"]


def test_who_keeps_it_for_less_time_takes_the_seed_from_nobody(memory: Memory, clock: ManualClock) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1", experiment="e"):
        assert memory.get("tone") == "formal"
    with scope(variant="v2", run_id="r2", experiment="e"), scope_policy(expires_after=60):
        assert memory.get("tone") == "formal"
    memory.set("tone", "changed since")
    clock.advance(61)
    with scope(variant="v3", run_id="r3", experiment="e"):
        assert memory.get("tone") == "formal"


@pytest.mark.parametrize("seed", ["base", "snapshot:monday"])
def test_a_seed_that_somebody_took_away_is_refused_and_never_replaced_by_another(tmp_path: Path, seed: str) -> None:
    memory = Memory("support", store=SqliteStore(tmp_path / "m.db"))
    memory.set("tone", "formal")
    memory.snapshot("monday")
    with scope_policy(seed=seed):
        with scope(variant="v1", run_id="r1", experiment="e"):
            assert memory.get("tone") == "formal"
            memory.drop()
        for kept in memory.snapshots():
            memory.delete_snapshot(kept.label)
        for number in range(200):
            memory.set("tone", number)
        with (
            scope(variant="v2", run_id="r2", experiment="e"),
            pytest.raises(ScopeError, match="is no longer kept"),
        ):
            memory.get("tone")
    memory.store.close()


def test_a_seed_from_a_snapshot_outlives_the_snapshot(memory: Memory) -> None:
    memory.set("tone", "formal")
    memory.snapshot("monday")
    with scope_policy(seed="snapshot:monday"):
        with scope(variant="v1", run_id="r1", experiment="e"):
            assert memory.get("tone") == "formal"
            memory.drop()
        memory.delete_snapshot("monday")
        for number in range(200):
            memory.set("tone", number)
        with scope(variant="v2", run_id="r2", experiment="e"):
            assert memory.get("tone") == "formal"


def test_a_memory_that_was_made_anew_in_the_same_moment_is_another_one(memory: Memory) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1", experiment="e"):
        assert memory.get("tone") == "formal"
    memory.drop()
    memory.set("tone", "another")
    with scope(variant="v2", run_id="r2", experiment="e"), pytest.raises(ScopeError, match="was dropped"):
        memory.get("tone")


def test_nothing_is_counted_for_the_run_of_another_memory(memory: Memory) -> None:
    with scope(variant="v", run_id="r"):
        memory.get("k")
    for namespace in ("support@v~r", "support@v~s", "support"):
        memory.store.run(RecordUses("other", (Use(namespace, "", "unscoped", 5, 5, 0, 1.0, 2.0),)))
        assert [use for use in memory.store.run(ReadUses(namespace)) if use.kind == "unscoped"] == []


def test_two_processes_that_open_a_scope_at_once_share_it(tmp_path: Path) -> None:
    memory = Memory("support", store=SqliteStore(tmp_path / "m.db"))
    memory.set("answers", 0)
    code = (
        "import sys, botwire\n"
        f"memory = botwire.Memory('support', 'sqlite:///{tmp_path}/m.db')\n"
        "sys.stdin.readline()\n"
        "for run in range(20):\n"
        "    with botwire.scope(variant='v', run_id=f'r{run}'):\n"
        "        memory.increment('answers')\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(3)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
        assert worker.returncode == 0
    for run in range(20):
        with scope(variant="v", run_id=f"r{run}"):
            assert memory.get("answers") == 3
    assert memory.get("answers") == 0
    assert len(memory.store.run(ListScoped("support"))) == 20
    memory.store.close()
