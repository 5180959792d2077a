"""`SqliteStore` keeps the contracts on a file, in a fork of forks as in a root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botwire_core import protocol as p
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


class TestSqliteStoreInAFork(SqliteBench, StoreContract):
    """Every op works the same on a fork: here of a fork of a fork, all of which have had a life before."""

    @pytest.fixture
    def space(self, run: Run) -> Space:
        for parent, child in (("base", "first"), ("first", "second"), ("second", "space")):
            Space(run, parent).set(f"gone in {parent}", 1)
            Space(run, parent).delete(f"gone in {parent}")
            run(p.Fork(parent, child))
        return Space(run)
