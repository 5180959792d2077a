"""The fixtures that pytest finds wherever BotWire is installed; each loads what it needs when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from botwire_core.memory import Memory
    from botwire_core.scopes import Scope
    from botwire_core.testing.clock import ManualClock

__all__ = ["assert_memory_diff", "botwire_clock", "botwire_memory", "botwire_scope", "botwire_seeded"]


@pytest.fixture
def botwire_clock() -> ManualClock:
    """A clock that stands still: `botwire_clock.advance(60)` lets what has a `ttl` of a minute expire."""
    from botwire_core.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def botwire_memory(tmp_path: Path, botwire_clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """A fresh memory named "test", in a file of the test's own, by the clock `botwire_clock`.

    Every `Memory` that the test itself makes without a URL is in the same file, by the real clock.
    """
    from botwire_core.memory import Memory
    from botwire_core.stores.sqlite import SqliteStore

    file = tmp_path / "botwire-memory.db"
    monkeypatch.setenv("BOTWIRE_URL", f"sqlite:///{file}")
    store = SqliteStore(file, clock=botwire_clock)
    yield Memory("test", store=store)
    store.close()


@pytest.fixture
def botwire_seeded(botwire_memory: Memory) -> Callable[[str | Path], Memory]:
    """`botwire_seeded("file.jsonl")` gives `botwire_memory` with the records of an exported file in it."""

    def seeded(file: str | Path) -> Memory:
        botwire_memory.import_(file)
        return botwire_memory

    return seeded


@pytest.fixture
def botwire_scope(request: pytest.FixtureRequest) -> Iterator[Scope]:
    """A scope of the test's own, with a fork for it alone: memories made anywhere start as they are, and stay so.

    For code that makes its memories when it is imported, or whose store cannot be changed. The forks go an hour later.
    """
    from botwire_core.scopes.blocks import scope
    from botwire_core.scopes.policy import scope_policy

    run = f"pytest-{uuid4().hex}"
    with (
        scope_policy(isolation="datapoint", expires_after=3600.0),
        scope(variant="test", run_id=run, datapoint_id=request.node.nodeid, source="pytest") as place,
    ):
        assert place is not None
        yield place


@pytest.fixture
def assert_memory_diff(botwire_memory: Memory) -> Callable[..., None]:
    """`assert_memory_diff(added=, changed=, removed=, unchanged="prefs/*")` looks at what changed since its last call.

    The first call counts from the moment at which the fixture was made, and `assert_memory_diff.reset()` from then on.
    """
    from botwire_core.testing.memory_diff import assert_memory_diff as check

    class SinceLast:
        def __init__(self) -> None:
            self.reset()

        def reset(self) -> None:
            self._before = botwire_memory.at(botwire_memory.snapshot())

        def __call__(self, **expected: Any) -> None:
            check(self._before, botwire_memory, **expected)
            self.reset()

    return SinceLast()
