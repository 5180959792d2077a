"""The fixtures that every store contract stands on: a clock, the store, and the two colours to run it in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from botwire_core.store import Store
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.contract import Contract
from botwire_core.testing.stores.space import Run, Space

__all__ = ["StoreBench"]


class StoreBench(Contract):
    """A store under test; the author overrides `store`, and `clock` where the store has one of its own."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """What the store tells time by. A store that cannot be told has a clock here whose `advance` waits."""
        return ManualClock()

    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        """A fresh and empty store, turned by `clock`."""
        raise NotImplementedError(f"{type(self).__name__} has to define the fixture `store`")

    @pytest.fixture(params=["run", "arun"])
    def run(self, request: pytest.FixtureRequest, store: Store) -> Iterator[Run]:
        """Runs an op and gives its result: once by `run`, once by `arun` on an event loop."""
        if request.param == "run":
            yield store.run
            return
        with asyncio.Runner() as runner:

            def run_async(op: Any) -> Any:
                return runner.run(store.arun(op))

            yield run_async
            runner.run(store.aclose())

    @pytest.fixture
    def space(self, run: Run) -> Space:
        """An empty namespace of the store."""
        return Space(run)
