"""What a server asks of a store, in memory and in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock, ServiceContract


class TestDictStoreAsAServerUsesIt(ServiceContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return DictStore(clock=clock)


class TestSqliteStoreAsAServerUsesIt(ServiceContract):
    @pytest.fixture
    def store(self, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
        store = SqliteStore(tmp_path / "memory.db", clock=clock, monotonic=clock)
        yield store
        store.close()
