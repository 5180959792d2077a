"""`SqliteStore` keeps the contracts on a file, in a fork of forks as in a root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botwire_core import protocol as p
from botwire_core.errors import RevisionPrunedError
from botwire_core.results import Retention
from botwire_core.store import Store
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import HistoryContract, ManualClock, StoreContract
from botwire_core.testing.stores.space import Run, Space


class SqliteBench:
    @pytest.fixture
    def store(self, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
        store = SqliteStore(tmp_path / "memory.db", clock=clock)
        yield store
        store.close()


class TestSqliteStore(SqliteBench, StoreContract):
    pass


class TestSqliteStoreWithItsPast(SqliteBench, HistoryContract):
    pass


def test_changes_that_are_no_longer_whole_are_refused_before_the_first_page(tmp_path: Path) -> None:
    clock = ManualClock()
    store = SqliteStore(tmp_path / "memory.db", clock=clock, monotonic=clock)
    space = Space(store.run)
    for number in range(3):
        space.set("k", number)
    fork = space.fork("fork")
    store.run(p.SetRetention("fork", Retention(deleted_for=0)))
    fork.set("forgotten", 1, ttl=10)
    clock.advance(10)
    store.sweep()
    fork.set("k", 3)
    for since in (0, 3):
        with pytest.raises(RevisionPrunedError) as caught:
            store.run(p.ListChanges("fork", since, limit=1))
        assert caught.value.oldest == 4
    assert [change.value for change in store.run(p.ListChanges("fork", 4)).changes] == [3]
    store.close()


def test_a_fork_is_told_of_a_past_of_its_own_that_is_whole(tmp_path: Path) -> None:
    clock = ManualClock()
    store = SqliteStore(tmp_path / "memory.db", clock=clock, monotonic=clock)
    space = Space(store.run)
    space.set("k", 1)
    space.set("k", 2)
    fork = space.fork("fork")
    store.run(p.SetRetention(space.name, Retention(deleted_for=0)))
    space.set("forgotten", 1, ttl=10)
    clock.advance(10)
    store.sweep()
    for op in (p.ListKeys("fork", at=1), p.Get("fork", "other", at=1), p.ListChanges("fork", 0)):
        with pytest.raises(RevisionPrunedError) as caught:
            store.run(op)
        assert caught.value.oldest == 2
    assert fork.contents(at=2) == {"k": 2}
    assert store.run(p.ListChanges("fork", 2)).changes == []
    store.close()


class TestSqliteStoreInAFork(SqliteBench, StoreContract):
    """Every op works the same on a fork: here of a fork of a fork, all of which have had a life before."""

    @pytest.fixture
    def space(self, run: Run) -> Space:
        for parent, child in (("base", "first"), ("first", "second"), ("second", "space")):
            Space(run, parent).set(f"gone in {parent}", 1)
            Space(run, parent).delete(f"gone in {parent}")
            run(p.Fork(parent, child))
        return Space(run)
