from __future__ import annotations

import pytest
from core.wrappers import Call, RecordingStore

from botwire_core.clock import Clock
from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    return Call(request.param)


@pytest.fixture
def store(clock: Clock) -> RecordingStore:
    return RecordingStore(DictStore(clock=clock))


@pytest.fixture
def memory(store: RecordingStore) -> Memory:
    return Memory("demo", store=store)
