"""A store of three primitives keeps the whole contract."""

from __future__ import annotations

import pytest
from contracts.tiny import TinyStore

from botwire_core.store import Store
from botwire_core.testing import ManualClock, StoreContract


class TestTinyStore(StoreContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return TinyStore(clock=clock)
