"""Running blocking work beside an event loop, without ever leaving its outcome unknown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["run_in_thread", "to_the_end"]

A = TypeVar("A")
R = TypeVar("R")


async def run_in_thread(work: Callable[[A], R], argument: A, executor: Executor | None = None) -> R:
    """Give `work(argument)`, run in a thread of `executor`, or of the loop's own.

    A cancellation waits until the work is done, and then goes on: whoever is told that a write was cancelled
    can read at once whether it happened.
    """
    import asyncio  # here, since a program without a loop never pays for it

    return await to_the_end(asyncio.get_running_loop().run_in_executor(executor, work, argument))


async def to_the_end(work: Awaitable[R]) -> R:
    """Await something whose outcome has to be known: a cancellation waits until it is done, and then goes on."""
    import asyncio  # here, since a program without a loop never pays for it

    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                continue  # cancelled again: the outcome still comes first
        if not future.cancelled():
            future.exception()  # seen, so that the loop does not report it as lost
        raise
