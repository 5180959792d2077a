"""What a store is: two methods that run an op, and the limits and features it declares."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from botwire_core.codec import MAX_DEPTH, MAX_VALUE_BYTES
from botwire_core.names import MAX_KEY_BYTES, MAX_NAMESPACE_CHARACTERS
from botwire_core.protocol import Op
from botwire_core.records import record

__all__ = ["Limits", "Store"]

R = TypeVar("R")


@record
class Limits:
    """What a store accepts, in bytes, characters and levels."""

    value_bytes: int = MAX_VALUE_BYTES
    value_depth: int = MAX_DEPTH
    key_bytes: int = MAX_KEY_BYTES
    namespace_characters: int = MAX_NAMESPACE_CHARACTERS


@runtime_checkable
class Store(Protocol):
    """Runs ops. Safe to use from many threads and event loops at once."""

    @property
    def features(self) -> frozenset[str]:
        """What it has beyond the core ops: "history" (forks, the past, diff, merge, purge, watch), "service"."""
        ...

    @property
    def limits(self) -> Limits:
        """What it accepts."""
        ...

    def run(self, op: Op[R]) -> R:
        """Run an op and give its result; blocks until it is done."""
        ...

    async def arun(self, op: Op[R]) -> R:
        """Run an op without blocking the event loop.

        A write that is cancelled waits for its outcome before the cancellation goes on.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections; the store opens them again if it is used again."""
        ...

    async def aclose(self) -> None:
        """Async twin of `close`."""
        ...
