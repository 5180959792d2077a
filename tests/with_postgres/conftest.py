"""A store on PostgreSQL in each colour, and a call that goes on in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from botwire_core.protocol import Op
from botwire_core.store import Store
from botwire_postgres.store import PostgresStore

Begin = Callable[..., "Future[Any]"]


class Running:
    """Runs ops on stores: from any one thread, or with `loop` on an event loop that stays the same."""

    def __init__(self, loop: asyncio.Runner | None) -> None:
        self._loop = loop
        self._used: set[Store] = set()

    def __call__(self, store: Store, op: Op[Any]) -> Any:
        if self._loop is None:
            return store.run(op)
        self._used.add(store)
        return self._loop.run(store.arun(op))

    def look(self, store: PostgresStore, sql: str) -> list[Any]:
        """The rows of a statement in a session of a store."""
        database = store._database
        if self._loop is None:
            return database.every(sql)
        self._used.add(store)
        return self._loop.run(database.arun(lambda _: database.every(sql), None))

    def close(self) -> None:
        if self._loop is not None:
            for store in self._used:
                self._loop.run(store.aclose())


@pytest.fixture(params=["run", "arun"])
def run(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Runs an op on a store, in each colour."""
    if request.param == "run":
        yield Running(None)
        return
    with asyncio.Runner() as loop:
        running = Running(loop)
        yield running
        running.close()


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begins a call in a thread, and gives what will come of it; every call has to have ended with the test."""
    with ThreadPoolExecutor(16) as pool:
        yield pool.submit
