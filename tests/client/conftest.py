"""A store that waits for nothing: what it would have waited is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from botwire_core.protocol import Op
from botwire_core.stores.http import HttpStore

Open = Callable[..., HttpStore]
Run = Callable[[HttpStore, Op[Any]], Any]


@pytest.fixture
def waits() -> list[float]:
    """The seconds of each wait between two attempts."""
    return []


@pytest.fixture
def opened(waits: list[float]) -> Iterator[Open]:
    """Opens a store that is closed at the end, with dice that always show the most."""
    stores: list[HttpStore] = []

    def open_(url: str, **named: Any) -> HttpStore:
        async def asleep(seconds: float) -> None:
            waits.append(seconds)
            await asyncio.sleep(0)

        named = {"sleep": waits.append, "asleep": asleep, "dice": lambda: 1.0, **named}
        stores.append(HttpStore(url, **named))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture(params=["run", "arun"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs an op on a store, in each colour."""
    if request.param == "run":
        yield lambda store, op: store.run(op)
        return
    used: list[HttpStore] = []
    with asyncio.Runner() as runner:

        def run_async(store: HttpStore, op: Op[Any]) -> Any:
            used.append(store)
            return runner.run(store.arun(op))

        yield run_async
        for store in used:
            runner.run(store.aclose())
