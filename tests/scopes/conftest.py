from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botwire_core.memory import Memory
from botwire_core.scopes.runs import active_runs
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.http import HttpStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_server.testing import served


@pytest.fixture(params=["dict", "sqlite", "http"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    kept: Store = SqliteStore(tmp_path / "m.db", clock=clock) if request.param == "sqlite" else DictStore(clock=clock)
    if request.param != "http":
        yield kept
    else:
        with served(kept) as url:
            client = HttpStore(url)
            yield client
            client.close()
    kept.close()


@pytest.fixture
def memory(store: Store) -> Memory:
    return Memory("support", store=store)


@pytest.fixture(autouse=True)
def no_run_is_left() -> Iterator[None]:
    yield
    assert active_runs() == []
