"""An agent whose memory tells whom it has met: what isolation means, checked alike for every evaluation platform."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from botwire_core.memory import Memory
from botwire_core.results import Entry
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.current import current_scope
from botwire_core.scopes.naming import Isolation
from botwire_core.scopes.report import MemoryReport
from botwire_core.scopes.upkeep import scoped_namespaces
from botwire_core.stores.sqlite import SqliteStore

__all__ = ["Witness", "make_memory", "state"]

MEMBERS: dict[str, tuple[str, ...]] = {
    "version": ("variant",),
    "run": ("variant", "run_id"),
    "datapoint": ("variant", "run_id", "datapoint_id"),
}


def make_memory(folder: Path) -> Memory:
    memory = Memory("support", store=SqliteStore(folder / "m.db"))
    memory.set_many({"tone": "formal", "facts/opening": [9, 17], "place": "base"})
    return memory


def state(memory: Memory, folder: Path) -> tuple[bytes, list[Entry]]:
    """All that a memory holds, byte for byte, and every version of it, with its times."""
    with scope(off=True):
        path = folder / "state.jsonl"
        memory.export(path)
        return path.read_bytes(), [entry for key in memory.list_keys() for entry in memory.history(key)]


class Witness:
    """Answers questions, and keeps in its memory who asked: whoever meets a key of a stranger has been leaked to."""

    def __init__(self, memory: Memory, isolation: Isolation) -> None:
        self._memory = memory
        self._isolation = isolation
        self._lock = threading.Lock()
        self._met: list[tuple[tuple[Any, ...], set[tuple[Any, ...]], Any]] = []
        self.places: set[tuple[str | None, str | None, str | None]] = set()
        self.judged = 0

    def answer(self, question: str) -> str:
        here = current_scope()
        assert here is not None
        mine = tuple(getattr(here, member) for member in MEMBERS[self._isolation])
        alone = self._isolation != "datapoint" or (
            self._memory.get("place") == "base" and self._memory.get("count") is None
        )
        seed = self._memory.get("facts/opening") if self._memory.get("tone") == "formal" and alone else "spoiled"
        self._memory.set(f"seen/{here.run_id}/{question}", list(mine))
        self._memory.append("log", question)
        self._memory.increment("count")
        met = {tuple(value) for value in self._memory.get_many(self._memory.list_keys("seen/")).values()}
        self._memory.set("place", question)
        with self._lock:
            self._met.append((mine, met, seed))
            self.places.add((here.variant, here.run_id, here.datapoint_id))
        return question

    def judge(self, question: str) -> bool:
        """Whether an evaluator that judges this question reads the memory in which it was answered."""
        here = current_scope()
        assert here is not None
        kept = self._memory.get(f"seen/{here.run_id}/{question}")
        alone = self._isolation != "datapoint" or self._memory.read("log") == [question]
        with self._lock:
            self.judged += 1
        return alone and kept == [getattr(here, member) for member in MEMBERS[self._isolation]]

    def check(self, *, answers: int, namespaces: int) -> None:
        """Nobody met a stranger, and all started from one seed."""
        assert len(self._met) == answers
        for mine, met, seed in self._met:
            assert met >= {mine}
            assert not met - {mine}, "somebody else's key"
            assert seed == [9, 17]
        made = scoped_namespaces(self._memory.store, self._memory.namespace)
        assert len(made) == namespaces
        assert len({(one.seed, one.seed_revision) for one in made}) == 1
        report = MemoryReport.of(self._memory.store, self._memory.namespace)
        assert report.unscoped == 0
