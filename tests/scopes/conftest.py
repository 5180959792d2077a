from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botwire_core.memory import Memory
from botwire_core.scopes.runs import active_runs
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock


@pytest.fixture(params=["dict", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    made: Store = DictStore(clock=clock) if request.param == "dict" else SqliteStore(tmp_path / "m.db", clock=clock)
    yield made
    made.close()


@pytest.fixture
def memory(store: Store) -> Memory:
    return Memory("support", store=store)


@pytest.fixture(autouse=True)
def no_run_is_left() -> Iterator[None]:
    yield
    assert active_runs() == []
