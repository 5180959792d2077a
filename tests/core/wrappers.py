"""Small stores and helpers that the tests of `Memory` stand on; all of them run real ops on a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

from botwire_core.memory import Memory
from botwire_core.protocol import Op
from botwire_core.store import Limits, Store
from botwire_core.stores.dict import DictStore

R = TypeVar("R")


class RecordingStore:
    """A wrapper that remembers the ops which pass through it."""

    limits = Limits()

    def __init__(self, inner: Store | None = None) -> None:
        self.inner = inner or DictStore()
        self.features = self.inner.features
        self.ops: list[Op[Any]] = []
        self.closed = 0

    def run(self, op: Op[R]) -> R:
        self.ops.append(op)
        return self.inner.run(op)

    async def arun(self, op: Op[R]) -> R:
        self.ops.append(op)
        return await self.inner.arun(op)

    def close(self) -> None:
        self.closed += 1
        self.inner.close()

    async def aclose(self) -> None:
        self.closed += 1
        await self.inner.aclose()


class Call:
    """Calls a method of a memory in one colour, and gives an iterator's items as a list."""

    def __init__(self, colour: str) -> None:
        self.colour = colour

    async def __call__(self, memory: Memory, name: str, *args: Any, **named: Any) -> Any:
        if self.colour == "sync":
            result = getattr(memory, name)(*args, **named)
            return list(result) if hasattr(result, "__next__") else result
        result = getattr(memory, "a" + name)(*args, **named)
        if isinstance(result, AsyncIterator):
            return [item async for item in result]
        return await result
