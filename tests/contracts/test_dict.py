"""`DictStore`, the executable specification, keeps the contracts it is the specification of."""

from __future__ import annotations

import pytest

from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.testing import HistoryContract, ManualClock, StoreContract


class TestDictStore(StoreContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return DictStore(clock=clock)


class TestDictStoreWithItsPast(HistoryContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return DictStore(clock=clock)
