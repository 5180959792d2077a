"""A store on PostgreSQL in each colour, and a call that goes on in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from botwire_core.protocol import Op
from botwire_core.store import Store

Run = Callable[[Store, Op[Any]], Any]
Begin = Callable[..., "Future[Any]"]


@pytest.fixture(params=["run", "arun"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs an op on a store, in each colour: from any one thread, and on an event loop that stays the same."""
    if request.param == "run":
        yield lambda store, op: store.run(op)
        return
    used: set[Store] = set()
    with asyncio.Runner() as runner:

        def run_async(store: Store, op: Op[Any]) -> Any:
            used.add(store)
            return runner.run(store.arun(op))

        yield run_async
        for store in used:
            runner.run(store.aclose())


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begins a call in a thread, and gives what will come of it; every call has to have ended with the test."""
    with ThreadPoolExecutor(16) as pool:
        yield pool.submit
