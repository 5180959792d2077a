"""The record of what was read and written in a scope."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from botwire_core.errors import ScopeError
from botwire_core.flows import run_flow
from botwire_core.memory import Memory
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.ops import ReadUses, Use
from botwire_core.scopes.policy import scope_policy
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
