"""Long lives of a memory, made up at random: what is gone stays gone, and the counts are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from botwire_core.codec import encode
from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock

YEAR = 365 * 86400.0


class ClockMachine(RuleBasedStateMachine):
    """Whatever a clock does, what was once seen as expired never comes back, and commit times never fall."""

    @initialize()
    def start(self) -> None:
        self.wall, self.steady = ManualClock(), ManualClock(0.0)
        self.memory = Memory("notes", store=self.new_store())
        self.gone: set[str] = set()
        self.count = 0

    def new_store(self) -> Any:
        store = DictStore(clock=self.wall)
        store._now._monotonic = self.steady
        return store

    @rule(ttl=st.floats(0.001, 1e5))
    def set(self, ttl: float) -> None:
        self.count += 1
        self.memory.set(f"key {self.count}", self.count, ttl=ttl)

    @rule(seconds=st.floats(0, 1e5))
    def time_passes(self, seconds: float) -> None:
        self.wall.advance(seconds)
        self.steady.advance(seconds)

    @rule(seconds=st.floats(-1e6, 1e6))
    def the_clock_is_set(self, seconds: float) -> None:
        self.wall.advance(seconds)

    @invariant()
    def what_is_gone_stays_gone(self) -> None:
        live = set(self.memory.list_keys())
        assert not live & self.gone
        self.gone |= {f"key {number}" for number in range(1, self.count + 1)} - live
        times = [change.entry.updated_at for change in self.memory.watch(since=0, timeout=0)]
        assert times == sorted(times)


class FileClockMachine(ClockMachine):
    """The same on a file."""

    def new_store(self) -> Any:
        self.folder = TemporaryDirectory()
        store = SqliteStore(
            Path(self.folder.name) / "memory.db", clock=self.wall, monotonic=self.steady, durability="normal"
        )
        store._now._monotonic = self.steady
        return store

    def teardown(self) -> None:
        self.memory.close()
        self.folder.cleanup()


@pytest.mark.parametrize("machine", [ClockMachine, FileClockMachine], ids=["dict", "file"])
def test_t2_what_was_seen_as_expired_stays_so_whatever_the_clock_does(
    machine: type[ClockMachine], scale: Callable[[int], int]
) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=scale(200),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_t2_a_clock_that_jumps_back_lets_time_go_on_by_the_monotonic_one(tmp_path: Path) -> None:
    wall, steady = ManualClock(), ManualClock(0.0)
    store = SqliteStore(tmp_path / "memory.db", clock=wall, monotonic=steady)
    store._now._monotonic = steady
    memory = Memory("notes", store=store)
    memory.set("key", 1, ttl=60)
    wall.advance(-YEAR)
    assert memory.get("key") == 1
    steady.advance(59)
    assert memory.get("key") == 1
    steady.advance(1)
    assert memory.get("key") is None
    memory.close()


class CountingMachine(RuleBasedStateMachine):
    """`stats` equals a recount, after any writes, deletes, expiries and forks, with versions that were pruned."""

    @initialize()
    def start(self) -> None:
        self.folder = TemporaryDirectory()
        self.clock = ManualClock()
        store = SqliteStore(
            Path(self.folder.name) / "memory.db", clock=self.clock, monotonic=self.clock, durability="normal"
        )
        self.spaces = [Memory("root", store=store)]

    keys = st.sampled_from(["a", "b", "c", "log"])
    values = st.none() | st.text(max_size=30) | st.binary(max_size=30) | st.lists(st.integers(), max_size=3)

    @rule(key=keys, value=values, ttl=st.none() | st.floats(1, 50), which=st.integers(0, 9))
    def set(self, key: str, value: Any, ttl: float | None, which: int) -> None:
        self.spaces[which % len(self.spaces)].set(key, value, ttl=ttl)

    @rule(key=keys, which=st.integers(0, 9))
    def append_or_delete(self, key: str, which: int) -> None:
        memory = self.spaces[which % len(self.spaces)]
        if key == "log":
            memory.append("log", [1, 2])
        else:
            memory.delete(key)

    @rule(which=st.integers(0, 9))
    def overwrite_often(self, which: int) -> None:
        for number in range(70):
            self.spaces[which % len(self.spaces)].set("a", number)

    @rule(which=st.integers(0, 9))
    def fork(self, which: int) -> None:
        if len(self.spaces) < 5:
            self.spaces.append(self.spaces[which % len(self.spaces)].fork(f"fork{len(self.spaces)}"))

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.spaces[0].store.sweep()

    @invariant()
    def stats_equal_a_recount(self) -> None:
        for memory in self.spaces:
            stats = memory.stats()
            entries = list(memory.entries())
            assert stats.keys == len(entries) == len(memory.list_keys())
            assert stats.bytes == sum(len(encode(entry.value).data) for entry in entries)

    def teardown(self) -> None:
        self.spaces[0].close()
        self.folder.cleanup()


def test_t12_the_count_of_keys_and_bytes_equals_a_recount(scale: Callable[[int], int]) -> None:
    run_state_machine_as_test(
        CountingMachine,
        settings=settings(
            max_examples=scale(150),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
