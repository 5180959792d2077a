from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from humanloop import Humanloop

from botwire_core.memory import Memory
from botwire_core.scopes.runs import active_runs
from botwire_core.stores.sqlite import SqliteStore
from botwire_humanloop import instrument
from botwire_humanloop.offline import OfflineHumanloop


@pytest.fixture
def api() -> Iterator[OfflineHumanloop]:
    server = OfflineHumanloop()
    with server:
        yield server


@pytest.fixture
def bare_client(api: OfflineHumanloop) -> Iterator[Humanloop]:
    """The SDK as it is installed, with nothing done to it."""
    with httpx.Client() as http:
        client = Humanloop(base_url=api.url, api_key="none", httpx_client=http)
        yield client
    # Its thread would look for spans ten times a second, until the last test has ended.
    for processor in client._tracer_provider._active_span_processor._span_processors:
        processor.span_exporter._shutdown = True  # type: ignore[attr-defined]


@pytest.fixture
def client(bare_client: Humanloop) -> Humanloop:
    return instrument(bare_client)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    store = SqliteStore(tmp_path / "m.db")
    memory = Memory("support", store=store)
    memory.set_many({"tone": "formal", "facts/opening": [9, 17], "place": "base"})
    yield memory
    memory.store.close()


@pytest.fixture(autouse=True)
def no_run_is_left() -> Iterator[None]:
    yield
    assert active_runs() == []
